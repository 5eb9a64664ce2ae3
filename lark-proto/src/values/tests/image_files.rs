//! The beginnings of image files in each format, with a width and a height, for tests.

pub(crate) fn short(side: u32) -> u16 {
    side.try_into().unwrap()
}

pub(crate) fn png(width: u32, height: u32) -> Vec<u8> {
    let sides = [width.to_be_bytes(), height.to_be_bytes()].concat();
    [&b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR"[..], &sides, b"\x08\x06\0\0\0"].concat()
}

pub(crate) fn gif(width: u16, height: u16) -> Vec<u8> {
    let sides = [width.to_le_bytes(), height.to_le_bytes()].concat();
    [&b"GIF89a"[..], &sides, b"\0\0\0;"].concat()
}

/// A JPEG with a JFIF header and an embedded preview in Exif data, whose dimensions the check must ignore.
pub(crate) fn jpeg(width: u16, height: u16) -> Vec<u8> {
    let sides = [height.to_be_bytes(), width.to_be_bytes()].concat();
    let start = b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0";
    let exif = b"\xff\xe1\0\x15Exif\0\0\xff\xd8\xff\xc0\0\x0b\x08\0\x01\0\x01\xff\xd9";
    [&start[..], exif, b"\xff\xc2\0\x11\x08", &sides, b"\x03\x01\x22\0"].concat()
}

fn webp(chunk: &[u8]) -> Vec<u8> {
    [&b"RIFF\x24\0\0\0WEBP"[..], chunk, &[0; 8]].concat()
}

pub(crate) fn webp_lossy(width: u16, height: u16) -> Vec<u8> {
    let sides = [width.to_le_bytes(), height.to_le_bytes()].concat();
    webp(&[&b"VP8 \x18\0\0\0\x30\x01\0\x9d\x01\x2a"[..], &sides].concat())
}

pub(crate) fn webp_lossless(width: u32, height: u32) -> Vec<u8> {
    let sides = (width - 1) | (height - 1) << 14;
    webp(&[&b"VP8L\x0d\0\0\0\x2f"[..], &sides.to_le_bytes()].concat())
}

pub(crate) fn webp_extended(width: u32, height: u32) -> Vec<u8> {
    let [width, height] = [width - 1, height - 1].map(u32::to_le_bytes);
    webp(&[&b"VP8X\x0a\0\0\0\x10\0\0\0"[..], &width[..3], &height[..3]].concat())
}

pub(crate) fn bmp(width: i32, height: i32) -> Vec<u8> {
    let sides = [width.to_le_bytes(), height.to_le_bytes()].concat();
    [&b"BM\x3a\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0"[..], &sides, b"\x01\0\x18\0"].concat()
}

pub(crate) fn old_bmp(width: u16, height: u16) -> Vec<u8> {
    let sides = [width.to_le_bytes(), height.to_le_bytes()].concat();
    [&b"BM\x1e\0\0\0\0\0\0\0\x1a\0\0\0\x0c\0\0\0"[..], &sides, b"\x01\0\x18\0"].concat()
}

/// A file with one directory, which has the width as SHORT and the height as LONG, because both types occur in TIFF
/// files.
pub(crate) fn tiff(big: bool, width: u16, height: u32) -> Vec<u8> {
    let u16 = |value: u16| if big { value.to_be_bytes() } else { value.to_le_bytes() };
    let u32 = |value: u32| if big { value.to_be_bytes() } else { value.to_le_bytes() };
    let mut file = if big { b"MM".to_vec() } else { b"II".to_vec() };
    file.extend([&u16(42)[..], &u32(8), &u16(2)].concat());
    file.extend([&u16(256)[..], &u16(3), &u32(1), &u16(width), &[0, 0]].concat());
    file.extend([&u16(257)[..], &u16(4), &u32(1), &u32(height), &u32(0)].concat());
    file
}

pub(crate) fn boxed(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let len = u32::try_from(8 + content.len()).unwrap();
    [&len.to_be_bytes()[..], name, content].concat()
}

/// The sides of a preview come before those of the image itself.
pub(crate) fn heic(width: u32, height: u32) -> Vec<u8> {
    let sides = |width: u32, height: u32| {
        boxed(b"ispe", &[[0; 4], width.to_be_bytes(), height.to_be_bytes()].concat())
    };
    let properties = boxed(b"ipco", &[sides(1, 1), sides(width, height)].concat());
    let meta = [&[0; 4], &boxed(b"iprp", &properties)[..]].concat();
    [boxed(b"ftyp", b"heic\0\0\0\0mif1heic"), boxed(b"meta", &meta)].concat()
}

pub(crate) fn ico(side: u8) -> Vec<u8> {
    [&b"\0\0\x01\0\x01\0"[..], &[side, side], &[0; 14]].concat()
}
