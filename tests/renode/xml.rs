//! XML-RPC: calls as they come, and answers as Renode words them.

use quick_xml::{
    Reader,
    escape::{escape, resolve_predefined_entity},
    events::Event,
};

/// One call: the method, and every text among its parameters in their order.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Call {
    pub method: String,
    pub texts: Vec<String>,
}

impl Call {
    /// `None` where it is no call.
    pub fn parse(body: &str) -> Option<Self> {
        let mut reader = Reader::from_str(body);
        let (mut call, mut text) = (Self::default(), String::new());
        loop {
            match reader.read_event().ok()? {
                Event::Start(_) => text.clear(),
                Event::Text(more) => text += &more.decode().ok()?,
                Event::GeneralRef(reference) => match reference.resolve_char_ref().ok()? {
                    Some(letter) => text.push(letter),
                    None => text += resolve_predefined_entity(&reference.decode().ok()?)?,
                },
                Event::Empty(tag) if tag.name().as_ref() == b"string" => call.texts.push(String::new()),
                Event::End(tag) => match tag.name().as_ref() {
                    b"methodName" => call.method = std::mem::take(&mut text),
                    b"string" => call.texts.push(std::mem::take(&mut text)),
                    _ => {}
                },
                Event::Eof => return (!call.method.is_empty()).then_some(call),
                _ => {}
            }
        }
    }
}

/// What a keyword comes to: what it returns, or why it failed.
pub fn outcome(result: Result<String, String>) -> String {
    let member =
        |name: &str, text: &str| format!("<member><name>{name}</name><value>{}</value></member>", string(text));
    let members = match result {
        Ok(output) => member("return", &output) + &member("status", "PASS"),
        Err(error) => member("status", "FAIL") + &member("error", &error) + &member("traceback", "KeywordException:"),
    };
    answer(&format!("<struct>{members}</struct>"))
}

/// The answer of a method that returns nothing.
pub fn nothing() -> String {
    answer("<string />")
}

/// The names of the keywords.
pub fn list(names: &[&str]) -> String {
    let values = names.iter().map(|name| format!("<value>{}</value>", string(name))).collect::<String>();
    answer(&format!("<array><data>{values}</data></array>"))
}

/// A fault: 1 is an unknown keyword or method.
pub fn fault(code: i32, text: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?>\n<methodResponse><fault><value><struct><member><name>faultCode</name><value>\
         <i4>{code}</i4></value></member><member><name>faultString</name><value>{}</value></member></struct></value>\
         </fault></methodResponse>",
        string(text)
    )
}

fn answer(value: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?>\n<methodResponse><params><param><value>{value}</value></param></params></methodResponse>"
    )
}

fn string(text: &str) -> String {
    if text.is_empty() { "<string />".to_owned() } else { format!("<string>{}</string>", escape(text)) }
}
