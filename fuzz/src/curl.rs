//! The request that curl sends for a command, by curl's manual.

/// The words of a curl command that matter.
#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) body: Option<String>,
    /// The host in the URL.
    host: String,
    /// The words after `--header`.
    headers: Vec<Vec<u8>>,
}

impl Command {
    /// The command in this line of a shell; `None` if curl would refuse it.
    pub(crate) fn of(line: &str) -> Option<Self> {
        let mut words = shell_words::split(line).ok()?.into_iter();
        let mut command = Self {
            method: String::new(),
            target: String::new(),
            body: None,
            host: String::new(),
            headers: Vec::new(),
        };
        let mut url = None;
        let mut request_target = None;
        let mut options = [false; 3];
        if words.next()? != "curl" {
            return None;
        }
        while let Some(word) = words.next() {
            match &*word {
                "--http1.1" => options[0] = true,
                "--globoff" => options[1] = true,
                "--path-as-is" => options[2] = true,
                "--head" => command.method = "HEAD".to_owned(),
                "--request" => command.method = words.next()?,
                "--url" => url = Some(words.next()?),
                "--request-target" => request_target = Some(words.next()?),
                "--header" => command.headers.push(expanded(&words.next()?)),
                "--data-binary" => command.body = Some(words.next()?),
                _ => return None,
            }
        }
        let url = url?;
        let (_, rest) = url.split_once("://")?;
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (host, path) = rest.split_at(end);
        command.host = host.to_owned();
        command.target = request_target.unwrap_or_else(|| path.to_owned());
        (options == [true; 3]).then_some(command)
    }

    /// The headers that curl sends, for a body of `len` bytes.
    pub(crate) fn sent(&self, len: usize) -> Vec<(String, Vec<u8>)> {
        let mut own = vec![
            ("accept", b"*/*".to_vec()),
            ("user-agent", b"curl".to_vec()),
            ("host", self.host.clone().into_bytes()),
        ];
        if self.body.is_some() {
            own.push(("content-type", b"application/x-www-form-urlencoded".to_vec()));
            own.push(("expect", b"100-continue".to_vec()));
            own.push(("content-length", len.to_string().into_bytes()));
        }
        own.retain(|(_, value)| !value.is_empty());
        let mut sent = Vec::new();
        for word in &self.headers {
            let end = word.iter().position(|byte| b":;".contains(byte)).unwrap_or(word.len());
            let name = String::from_utf8_lossy(&word[..end]).to_ascii_lowercase();
            // A header of the command replaces curl's own one.
            own.retain(|(own, _)| *own != name);
            let value = word.get(end + 1..).unwrap_or_default().trim_ascii();
            match word.get(end) {
                Some(b':') if !value.is_empty() => sent.push((name, value.to_vec())),
                Some(b';') if value.is_empty() => sent.push((name, Vec::new())),
                _ => {}
            }
        }
        sent.extend(own.into_iter().map(|(name, value)| (name.to_owned(), value)));
        sent
    }
}

/// The word after the shell has run the `printf` in it.
fn expanded(word: &str) -> Vec<u8> {
    let printed = word.strip_prefix("$(printf %b '").and_then(|word| word.strip_suffix("')"));
    let Some(mut text) = printed else { return word.as_bytes().to_vec() };
    let mut bytes = Vec::new();
    while let Some(first) = text.chars().next() {
        if let Some(octal) = text.strip_prefix("\\0").and_then(|rest| rest.get(..3)) {
            bytes.push(u8::from_str_radix(octal, 8).unwrap_or_default());
            text = &text[5..];
        } else {
            assert!(first != '\\' && first != '\'', "an escape that printf does not know: {word}");
            bytes.push(u8::try_from(first).unwrap_or_default());
            text = &text[first.len_utf8()..];
        }
    }
    bytes
}
