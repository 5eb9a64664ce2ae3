//! The pictures of a folder.

use std::fs::Metadata;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use lark_proto::{Image, WriteSheetImage};

use super::journal::Identity;

/// The extensions of pictures. Other files of a folder are ignored.
const EXTENSIONS: [&str; 13] = [
    "png", "jpg", "jpeg", "jfif", "gif", "bmp", "tif", "tiff", "webp", "heic", "heif", "ico", "bpg",
];

/// No endpoint takes a larger picture.
const MAX_BYTES: u64 = WriteSheetImage::DEFAULT_MAX_BYTES;

/// The pictures in a folder, by name: `photo2.png` comes before `Photo10.png`. Folders in it, hidden files and files
/// with another extension are ignored.
pub(crate) fn in_folder(folder: &Path) -> Result<Vec<PathBuf>, String> {
    if folder.is_file() {
        return Err(format!("{} is a file, and a folder is needed", folder.display()));
    }
    let about = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut found = Vec::new();
    let mut others = 0;
    for entry in std::fs::read_dir(folder).map_err(about)? {
        let path = entry.map_err(about)?.path();
        if path.is_dir() || name(&path).starts_with('.') {
            continue;
        }
        let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        if EXTENSIONS.contains(&&*extension) { found.push(path) } else { others += 1 }
    }
    if found.is_empty() {
        return Err(format!(
            "{}: no picture in this folder, and {others} other files; a picture is a file with one of the extensions \
             {}",
            folder.display(),
            EXTENSIONS.join(", ")
        ));
    }
    found.sort_by(|a, b| {
        let small_a = name(a).to_lowercase();
        let small_b = name(b).to_lowercase();
        let by_name = alphanumeric_sort::compare_str(small_a, small_b);
        // `read_dir` has no fixed order, so names that differ only in case are compared as paths.
        by_name.then_with(|| a.cmp(b))
    });
    Ok(found)
}

/// The name of a file without its folder, in one line. A name that is no UTF-8 or holds a control character or a
/// backslash is escaped, so that each file of a folder has a name of its own.
pub(crate) fn name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    let is_plain = |name: &&str| !name.contains(|c: char| c.is_control() || c == '\\');
    match name.to_str().filter(is_plain) {
        Some(name) => name.to_owned(),
        None => name.as_encoded_bytes().escape_ascii().to_string(),
    }
}

impl Identity {
    fn new(bytes: &[u8], modified: u64) -> Self {
        let add = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325, add);
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Self { bytes: length, modified, hash: format!("{hash:016x}") }
    }

    /// Whether the file holds another picture now. The file is read only if its length or its modification time
    /// differs. A missing file counts as unchanged, a file that cannot be read as replaced.
    pub(crate) fn is_replaced(&self, path: &Path) -> bool {
        let Ok(metadata) = std::fs::metadata(path) else { return false };
        if metadata.len() == self.bytes && modified(&metadata) == self.modified {
            return false;
        }
        let now = read_file(path, MAX_BYTES);
        now.map_or(true, |bytes| Self::new(&bytes, 0).hash != self.hash)
    }
}

/// When a file was changed, or 1970 if the system does not know.
fn modified(metadata: &Metadata) -> u64 {
    let since = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    u64::try_from(since.unwrap_or_default().as_nanos()).unwrap_or(u64::MAX)
}

/// Reads a picture. The error is the reason, without the file's name.
pub(crate) fn read(path: &Path) -> Result<(Image, Identity), String> {
    let before = std::fs::metadata(path).map_err(|error| error.to_string())?;
    let bytes = read_file(path, MAX_BYTES)?;
    if is_web_page(&bytes) {
        return Err("the file is a web page, which was saved in place of a picture".into());
    }
    let identity = Identity::new(&bytes, modified(&before));
    Ok((Image::new(bytes).map_err(|error| error.to_string())?, identity))
}

/// Whether a file begins like HTML. A site may send a login page in place of a picture.
fn is_web_page(bytes: &[u8]) -> bool {
    let text = bytes.trim_ascii_start();
    ["<!doctype html", "<html"].iter().any(|start| {
        text.get(..start.len()).is_some_and(|text| text.eq_ignore_ascii_case(start.as_bytes()))
    })
}

/// The bytes of a file that has at most `most` bytes. The error is the reason, without the file's name.
pub(crate) fn read_file(path: &Path, most: u64) -> Result<Vec<u8>, String> {
    // A named pipe is not opened, since that would wait for its writer.
    if !std::fs::metadata(path).map_err(|error| error.to_string())?.is_file() {
        return Err("it is not a regular file".into());
    }
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(path);
    let read = opened.and_then(|file| file.take(most.saturating_add(1)).read_to_end(&mut bytes));
    match read {
        Ok(length) if u64::try_from(length).unwrap_or(u64::MAX) > most => {
            Err(format!("the file has more than {} MiB", most >> 20))
        }
        Ok(_) => Ok(bytes),
        Err(error) => Err(error.to_string()),
    }
}
