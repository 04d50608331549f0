//! "Did you mean …?": the nearest known name to one that is not known.

/// The name among `known` that `wanted` most likely meant, if any is near enough to be worth saying.
///
/// Near is a Jaro-Winkler similarity of 0.7 or more, letter case aside.
pub fn nearest<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = wanted.to_lowercase();
    known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&wanted, &name.to_lowercase()), name))
        .filter(|(similarity, _)| *similarity >= 0.7)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, name)| name)
}

/// `nearest` as a sentence to put after an error: ``did you mean `hello_world`?``, or the list of what there is.
pub fn mend<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match nearest(wanted, known.clone()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => {
            let all: Vec<&str> = known.into_iter().collect();
            if all.is_empty() { "there is none".to_owned() } else { format!("there is: {}", all.join(", ")) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_mended_and_a_stranger_gets_the_list() {
        assert_eq!(mend("helo_world", ["hello_world", "magic_wand"]), "did you mean `hello_world`?");
        assert_eq!(mend("xyzzy", ["a", "b"]), "there is: a, b");
        assert_eq!(mend("xyzzy", []), "there is none");
    }
}
