//! The model as data beside the firmware: a header of 64 bytes that says what follows, then the `.tflite` file's bytes.

use farm::Model;

/// Namespace of the model image's layout; `PROTOCOL.md` has the table.
#[derive(Debug, Clone, Copy)]
pub struct ModelImage;

impl ModelImage {
    /// What the image begins with.
    pub const MAGIC: [u8; 4] = *b"TFMI";
    /// Version of the layout.
    pub const VERSION: u32 = 1;
    /// Bytes before the model.
    pub const HEADER: usize = 64;

    /// How many bytes `model` takes as an image.
    pub fn size(model: &Model) -> u64 {
        (Self::HEADER + model.bytes().len()) as u64
    }

    /// The image of `model`: header, then its bytes.
    pub fn encode(model: &Model) -> Vec<u8> {
        Self::wrap(model.bytes(), &model.digest().0)
    }

    /// The image of any bytes, sound or not.
    pub fn wrap(bytes: &[u8], sha256: &[u8; 32]) -> Vec<u8> {
        let mut image = Vec::with_capacity(Self::HEADER + bytes.len());
        image.extend(Self::MAGIC);
        for word in [Self::VERSION, bytes.len() as u32, crc32fast::hash(bytes)] {
            image.extend(word.to_le_bytes());
        }
        image.extend(sha256);
        image.resize(Self::HEADER, 0);
        image.extend(bytes);
        image
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use farm::Digest;

    #[test]
    fn an_image_lies_as_the_page_says() {
        let bytes = b"any bytes";
        let image = ModelImage::wrap(bytes, &Digest::of(bytes).0);
        assert_eq!(image[..12], [b'T', b'F', b'M', b'I', 1, 0, 0, 0, 9, 0, 0, 0]);
        assert_eq!(image[12..16], crc32fast::hash(bytes).to_le_bytes());
        assert_eq!(image[16..48], Digest::of(bytes).0);
        assert_eq!(image[48..64], [0; 16]);
        assert_eq!(&image[64..], bytes);
    }
}
