//! What is generated for a model's own firmware: TFLM's resolver with just the operators that the model uses, and the model
//! as a section. Named by the digest of the model, so that models may be built at the same time.

use super::BuildError;
use crate::{model_image::ModelImage, port::Port, tflm::TflmSource};
use farm::{Digest, Model, model::Operator};
use std::{fmt::Write as _, fs};

/// Where TFLM declares what can be registered.
const DECLARED: &str = "tensorflow/lite/micro/kernels/micro_ops.h";

/// One model's generated sources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    /// Over all that is generated.
    pub digest: Digest,
    resolver: String,
    image: Vec<u8>,
}

impl Own {
    /// What `model` needs of `tflm`.
    ///
    /// # Errors
    /// [`BuildError::UnsupportedOp`] for an operator that TFLM declares no registration for; [`BuildError::Io`].
    pub fn of(model: &Model, tflm: &TflmSource) -> Result<Self, BuildError> {
        let path = tflm.root().join(DECLARED);
        let declared = fs::read_to_string(&path).map_err(|error| BuildError::io(path, error))?;
        let resolver = resolver(model.operators(), &declared)?;
        let image = ModelImage::encode(model);
        Ok(Self { digest: Digest::of_parts([resolver.as_bytes(), &image]), resolver, image })
    }

    /// The generated files, by their paths below the runner's folder.
    pub fn files(&self) -> Vec<(String, Vec<u8>)> {
        let folder = format!("own/{}", self.digest);
        let section = |skip: usize| {
            format!(
                "  .section .model, \"a\", %progbits\n  .balign 16\n  .global own_model\nown_model:\n  .incbin \
                 \"{folder}/model.bin\", {skip}\n"
            )
        };
        vec![
            (format!("{folder}/operators.cc"), self.resolver.clone().into_bytes()),
            (format!("{folder}/image.S"), section(0).into_bytes()),
            (format!("{folder}/model.S"), section(ModelImage::HEADER).into_bytes()),
            (format!("{folder}/model.bin"), self.image.clone()),
        ]
    }
}

/// The source of `OwnOperators`, where `declared` is TFLM's list of what can be registered.
fn resolver(operators: &[Operator], declared: &str) -> Result<String, BuildError> {
    let mut adds = String::new();
    for Operator { name, version } in operators {
        if !declared.contains(&format!(" Register_{name}()")) {
            return Err(BuildError::UnsupportedOp(format!("{name} version {version}")));
        }
        let _ = writeln!(
            adds,
            "    resolver.AddBuiltin(tflite::BuiltinOperator_{name}, tflite::ops::micro::Register_{name}(), {version});"
        );
    }
    Ok(format!(
        "// Generated: the operators that the model uses.\n\
         #include \"own/own.h\"\n\
         #include \"tensorflow/lite/micro/kernels/micro_ops.h\"\n\
         #include \"tensorflow/lite/micro/micro_mutable_op_resolver.h\"\n\n\
         namespace runner {{\n\n\
         const tflite::MicroOpResolver& OwnOperators() {{\n  \
           static tflite::MicroMutableOpResolver<{}> resolver;\n  \
           if (resolver.GetRegistrationLength() == 0) {{\n{adds}  }}\n  \
           return resolver;\n\
         }}\n\n\
         }}  // namespace runner\n",
        operators.len().max(1)
    ))
}

/// A link that failed because a memory is too small says so; any other error stays as it is.
pub(super) fn no_room(error: BuildError, port: &Port) -> BuildError {
    let BuildError::Link { message, .. } = &error else { return error };
    for (name, region, memory) in [("FLASH", "flash", port.flash), ("RAM", "RAM", port.ram)] {
        let over = message
            .split_once(&format!("region `{name}' overflowed by "))
            .and_then(|(_, rest)| rest.split(' ').next()?.parse::<u64>().ok());
        let Some(memory) = memory else { continue };
        // A section at an address of its own, like the model's, is told by where it ends.
        let beyond = format!("is not within region `{name}'");
        let ends = message.lines().filter(|line| line.contains(&beyond)).filter_map(|line| {
            let digits = line.split_once("address 0x")?.1.split(' ').next()?;
            u64::from_str_radix(digits, 16).ok()?.checked_sub(memory.origin)
        });
        if let Some(needed) = ends.chain(over.map(|over| memory.length + over)).max() {
            let (available, port) = (memory.length, port.name.clone());
            return BuildError::NoRoom { port, region, needed, available };
        }
    }
    error
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn operator(name: &str, version: u32) -> Operator {
        Operator { name: name.to_owned(), version }
    }

    #[test]
    fn the_resolver_has_what_the_model_uses_each_version_once_and_nothing_else() {
        let declared = "TfLiteRegistration* Register_ADD();\nTfLiteRegistration* Register_CONV_2D();\n";
        let source = resolver(&[operator("CONV_2D", 1), operator("CONV_2D", 3)], declared).unwrap();
        let adds: Vec<&str> = source.lines().filter(|line| line.contains("AddBuiltin")).collect();
        assert_eq!(adds.len(), 2);
        assert!(adds[1].contains("BuiltinOperator_CONV_2D, tflite::ops::micro::Register_CONV_2D(), 3"), "{source}");
        assert!(source.contains("MicroMutableOpResolver<2>") && !source.contains("ADD"), "{source}");
    }

    #[test]
    fn an_operator_that_cannot_be_registered_is_the_models_fault() {
        let declared = "TfLiteRegistration* Register_ADD();\n";
        let error = resolver(&[operator("CONV", 1)], declared).unwrap_err();
        assert_eq!(
            error.verdict().to_string(),
            "unsupported operator: CONV version 1: this TFLM has nothing to register for it"
        );
        // A part of a name is not the name, and no custom operator is known.
        assert!(resolver(&[operator("AD", 1)], declared).is_err());
        assert!(resolver(&[operator("MyOp", 1)], declared).is_err());
    }

    #[test]
    fn a_link_that_overflows_says_how_much_is_needed() {
        let port = crate::port::port("microbit").unwrap();
        let link = |message: &str| BuildError::Link {
            port: port.name.clone(),
            message: message.to_owned(),
            command: String::new(),
        };
        let error = no_room(link("ld: region `FLASH' overflowed by 1000 bytes\ncollect2: error"), port);
        let fault = error.verdict();
        assert!(matches!(&fault, farm::TargetError::Fault(fault) if fault.is_lack_of_room()), "{fault}");
        assert!(fault.to_string().contains("needs 263144 bytes, the target has 262144"), "{fault}");
        let error = no_room(link("ld: address 0x40400 of x.elf section `.model' is not within region `FLASH'"), port);
        assert!(matches!(error, BuildError::NoRoom { needed: 0x40400, .. }), "{error}");
        assert!(matches!(no_room(link("undefined reference"), port), BuildError::Link { .. }));
    }
}
