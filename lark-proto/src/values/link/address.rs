//! The parts of a link to a document, or of a document's token.

use super::document_kind::{DocumentKind, not_a_spreadsheet};
use crate::error::{Invalid, InvalidKind};
use crate::text::{base64, percent_decoded, trimmed};
use crate::values::{SheetId, SpreadsheetToken, WikiToken, cell};

/// A document that is a spreadsheet or a page of a wiki, as far as its token tells.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Document {
    Spreadsheet(SpreadsheetToken),
    Wiki(WikiToken),
}

impl Document {
    fn of_token(token: &str) -> Result<Self, Invalid> {
        let spreadsheet = SpreadsheetToken::any_kind(token)?;
        match DocumentKind::of_token(token) {
            None | Some(DocumentKind::Spreadsheet) => Ok(Self::Spreadsheet(spreadsheet)),
            Some(DocumentKind::Wiki) => Ok(Self::Wiki(WikiToken::any_kind(token)?)),
            Some(DocumentKind::Other(name)) => Err(not_a_spreadsheet(token, name)),
        }
    }

    /// The spreadsheet, for a caller that does not ask the service for the document behind a page of a wiki.
    pub(in crate::values) fn spreadsheet(self) -> Result<SpreadsheetToken, Invalid> {
        match self {
            Self::Spreadsheet(token) => Ok(token),
            Self::Wiki(page) => Err(Invalid::new(InvalidKind::WikiNode, page.as_str())),
        }
    }
}

/// The parts of a link or a token.
pub(crate) struct Address {
    /// `https://host`, or empty if the text has no host.
    pub(super) origin: String,
    pub(crate) document: Document,
    pub(crate) sheet: Option<SheetId>,
    /// The selected range without its sheet, not yet checked; empty if the text has no range, or one that is not
    /// percent-encoded UTF-8.
    pub(crate) range: String,
}

impl Address {
    pub(crate) fn parse(text: &str) -> Result<Self, Invalid> {
        let text = trimmed(text);
        let inner = text.strip_prefix('<').and_then(|text| text.strip_suffix('>'));
        let text = trimmed(inner.unwrap_or(text));
        // The error of a part may quote a part of a password with a `#`, `?` or `/`. That of the whole link masks it.
        let rest = match text.split_once("://") {
            Some((scheme, rest)) if !scheme.contains([':', '/', '?', '#']) => rest,
            _ => text,
        };
        let has_password = rest.rsplit_once('@').is_some_and(|(before, _)| before.contains(':'));
        Self::of(text).map_err(
            |error| {
                if has_password { Invalid::new(error.kind(), text) } else { error }
            },
        )
    }

    fn of(text: &str) -> Result<Self, Invalid> {
        let (rest, fragment) = text.split_once('#').unwrap_or((text, ""));
        let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (origin, path_kind, token) = if address.contains('/') {
            split(address)?
        } else {
            (String::new(), DocumentKind::Spreadsheet, address)
        };
        let (token, embedded) = token
            .split_once('_')
            .filter(|(token, sheet)| is_long(token) && !sheet.is_empty())
            .map_or((token, None), |(token, sheet)| (token, Some(sheet)));
        let document = match path_kind {
            DocumentKind::Wiki => Document::Wiki(WikiToken::any_kind(token)?),
            _ => Document::of_token(token)?,
        };

        let mut sheet = embedded.map(SheetId::new).transpose()?;
        let mut range = None;
        for pair in query.split('&').chain(fragment.split('&')) {
            // A link that was copied from HTML has `&amp;` for `&`.
            let pair = pair.strip_prefix("amp;").unwrap_or(pair);
            match pair.split_once('=') {
                Some((name, id)) if is_sheet(name) && !id.is_empty() => {
                    set_sheet(&mut sheet, sheet_id(id)?)?;
                }
                Some(("range", value)) => range = read_range(value),
                _ => {}
            }
        }
        let anchor = fragment.split('&').find(|part| !part.is_empty() && !part.contains('='));
        if let (None, Some(id)) = (&sheet, anchor) {
            sheet = Some(sheet_id(id)?);
        }
        let range = range.unwrap_or_default();
        let range = match range.split_once(['!', '！']) {
            Some((id, cell)) => {
                let id = id.strip_suffix('\\').unwrap_or(id);
                set_sheet(&mut sheet, SheetId::new(id)?)?;
                cell.to_owned()
            }
            None => range,
        };
        Ok(Self { origin, document, sheet, range })
    }
}

/// Whether `token` has at least 20 characters, all letters and digits. The service's own tokens have 22 or more.
fn is_long(token: &str) -> bool {
    token.len() >= 20 && token.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Splits a link into its origin, which is empty if it has no host, the kind of the document, and the token.
fn split(address: &str) -> Result<(String, DocumentKind, &str), Invalid> {
    // The part before an `@` may be a password, so errors do not quote it.
    let shown = address.rsplit('@').next().unwrap_or_default();
    let refused = |kind| Invalid::new(kind, shown);
    let no_link = || refused(InvalidKind::BadSpreadsheetLink);
    let (scheme, rest) = match address.split_once("://") {
        Some((scheme, rest)) => (scheme.to_ascii_lowercase(), rest),
        None => ("https".to_owned(), address),
    };
    let (host, path) = rest.split_once('/').ok_or_else(no_link)?;
    let origin = if address.starts_with('/') {
        String::new()
    } else if matches!(&*scheme, "https" | "http") && is_host(host) {
        format!("{scheme}://{}", host.to_ascii_lowercase())
    } else {
        return Err(no_link());
    };
    let path = path.strip_suffix('/').unwrap_or(path);
    let path = path.strip_prefix("space/").unwrap_or(path);
    match DocumentKind::of_path(path) {
        Some((DocumentKind::Other(kind), _)) => Err(not_a_spreadsheet(path, kind)),
        Some((kind, token)) if !token.contains('/') => Ok((origin, kind, token)),
        _ => Err(no_link()),
    }
}

/// Whether `host`, with or without a port, consists of characters that a host may have. The host itself is not checked,
/// because no request is sent to it.
fn is_host(host: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    host.bytes().all(is_allowed) && host.bytes().any(|byte| byte.is_ascii_alphanumeric())
}

/// Whether a parameter of this name is the sheet's id: `sheet`, and the names that the id has in the service's API.
fn is_sheet(name: &str) -> bool {
    ["sheet", "sheetId", "sheet_id"].iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Sets `sheet`, and refuses a link that names two sheets.
fn set_sheet(sheet: &mut Option<SheetId>, id: SheetId) -> Result<(), Invalid> {
    match sheet {
        Some(other) if *other != id => {
            Err(Invalid::new(InvalidKind::SeveralSheets, format!("`{other}` and `{id}`")))
        }
        _ => {
            *sheet = Some(id);
            Ok(())
        }
    }
}

fn sheet_id(escaped: &str) -> Result<SheetId, Invalid> {
    let id =
        percent_decoded(escaped).ok_or_else(|| Invalid::new(InvalidKind::BadSheetId, escaped))?;
    SheetId::new(&id)
}

/// The range in plain text. The service writes it in base64, but links with plain text exist too. Plain text may be
/// valid base64 by chance, so the decoded text counts only if it contains a `:`.
fn read_range(escaped: &str) -> Option<String> {
    let plain = percent_decoded(escaped)?;
    if cell::parse_a1(&plain).is_ok() {
        return Some(plain);
    }
    Some(base64::decoded(&plain).filter(|range| range.contains(':')).unwrap_or(plain))
}
