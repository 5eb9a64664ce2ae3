//! The scopes that an app lacks, and the link to the page of the developer console where they are added to the app.

use memchr::memmem;

/// The longest link, in bytes. A longer one is cut before its query, which names the scopes.
pub(crate) const MAX_LINK_LEN: usize = 2048;

/// The link to the page in a message of the service. The message is long, in two languages, and ends with the link.
pub(crate) fn link_in(text: &str) -> Option<&str> {
    let mut rest = text;
    while let Some(start) = memmem::find(rest.as_bytes(), b"https://") {
        let found = rest.get(start..)?;
        let is_outside = |c: char| !c.is_ascii_graphic() || "\"'`<>()[]{}".contains(c);
        let (link, behind) = found.split_at(found.find(is_outside).unwrap_or(found.len()));
        let (page, _) = link.split_once('?').unwrap_or((link, ""));
        if (page.contains("/app/") && page.ends_with("/auth")) || page.ends_with("/scope-apply") {
            let link = link.trim_end_matches(['.', ',', ';']);
            return Some(if link.len() > MAX_LINK_LEN { page } else { link });
        }
        rest = behind;
    }
    None
}

/// The scopes that a message names: the scopes in the query of its `link`, else those in its first list in brackets.
pub(crate) fn scopes_in<'a>(text: &'a str, link: Option<&'a str>) -> impl Iterator<Item = &'a str> {
    let query = link.and_then(|link| link.split_once('?')).map_or("", |(_, query)| query);
    let named =
        query.split('&').find_map(|pair| pair.strip_prefix("q=").or(pair.strip_prefix("scopes=")));
    let listed = || text.split_once('[')?.1.split_once(']').map(|(list, _)| list);
    let scopes = named.or_else(listed).unwrap_or_default();
    scopes.split(',').map(str::trim).filter(|scope| is_scope(scope))
}

/// The link to the page at `site` where these scopes are added to the app with the id `app`. `None` for an id with
/// characters other than letters, digits, `-` and `_`.
pub(super) fn link_for<'a>(
    site: &str,
    app: &str,
    scopes: impl Iterator<Item = &'a str>,
) -> Option<String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if !app.bytes().all(is_plain) {
        return None;
    }
    let mut query = String::new();
    for scope in scopes.filter(|scope| is_scope(scope)) {
        if query.len() + scope.len() > MAX_LINK_LEN - 512 {
            break;
        }
        let separator = if query.is_empty() { "?q=" } else { "," };
        query = query + separator + scope;
    }
    if !query.is_empty() {
        query += "&op_from=openapi&token_type=tenant";
    }
    Some(format!("{site}/app/{app}/auth{query}"))
}

/// Whether `text` is the name of a scope, such as `im:resource:upload`.
fn is_scope(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b":._-".contains(&byte);
    (1..=128).contains(&text.len()) && text.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: &str = "https://open.feishu.cn/app/cli_x/auth?q=im:resource,im:resource:upload&op_from=openapi&token_type=tenant";

    #[test]
    fn the_grant_link_is_found_in_a_message() {
        let live = format!("点击链接申请：{LINK}");
        let newer = "https://open.feishu.cn/page/scope-apply?clientID=cli_x&scopes=a:b";
        let long = format!("https://open.feishu.cn/app/cli_x/auth?q={}", "a:b,".repeat(1000));
        for (text, link) in [
            (&*live, Some(LINK)),
            (&format!("see https://open.feishu.cn/document/x, then <{LINK}>."), Some(LINK)),
            (&format!("{LINK}."), Some(LINK)),
            (newer, Some(newer)),
            (&long, Some("https://open.feishu.cn/app/cli_x/auth")),
            ("https://open.feishu.cn/app/cli_x", None),
            ("https://open.feishu.cn/document?x=/app/cli_x/auth", None),
            ("https:// https://", None),
            ("", None),
        ] {
            assert_eq!(link_in(text), link, "{text}");
        }
    }

    #[test]
    fn the_scopes_of_a_message_are_in_its_link_or_its_list() {
        let listed = "One of the following scopes is required: [a:b, c:d.e].需要：[f]";
        for (text, link, scopes) in [
            ("[x]", Some(LINK), "im:resource im:resource:upload"),
            ("", Some("https://x/page/scope-apply?clientID=cli_x&scopes=a:b"), "a:b"),
            (listed, None, "a:b c:d.e"),
            (listed, Some("https://x/app/cli_x/auth"), "a:b c:d.e"),
            ("a [b", None, ""),
            ("[two words, ,图,a:b]", None, "a:b"),
        ] {
            assert_eq!(
                scopes_in(text, link).collect::<Vec<_>>().join(" "),
                scopes,
                "{text} {link:?}"
            );
        }
    }

    #[test]
    fn a_made_link_names_the_app_and_the_scopes_that_fit() {
        let made = |app: &str, scopes: &[&str]| {
            link_for("https://open.feishu.cn", app, scopes.iter().copied())
        };
        assert_eq!(made("cli_x", &["im:resource", "im:resource:upload"]).as_deref(), Some(LINK));
        assert_eq!(
            made("cli_x", &["a b", ""]).as_deref(),
            Some("https://open.feishu.cn/app/cli_x/auth")
        );
        assert_eq!(made("cli/../x", &["a:b"]), None);
    }

    #[test]
    fn a_made_link_has_the_scopes_that_fit_into_1536_bytes() {
        let made =
            |scopes: &[&str]| link_for("https://x", "cli_x", scopes.iter().copied()).unwrap();
        let scopes = ["s".repeat(128), "t".repeat(127)];
        // With their separators, `?q=` and eleven times `,`, twelve scopes of 127 bytes have 1,538 bytes.
        let twelve = [&*scopes[1]; 12];
        assert_eq!(made(&twelve).matches("ttt").count() / 42, 11);
        let fitting = [&scopes[1][..]; 11].into_iter().chain([&scopes[0][..126]]);
        let link = made(&fitting.collect::<Vec<_>>());
        assert!(link.contains(&format!(",{}&", &scopes[0][..126])), "{link}");
        let too_long = [&scopes[1][..]; 11].into_iter().chain([&scopes[0][..127]]);
        assert!(!made(&too_long.collect::<Vec<_>>()).contains('s'.to_string().repeat(20).as_str()));
    }

    #[test]
    fn a_link_in_a_message_is_kept_whole_up_to_2048_bytes() {
        const PAGE: &str = "https://open.feishu.cn/app/cli_x/auth";
        for (len, is_whole) in [(2047, true), (2048, true), (2049, false)] {
            let link = format!("{PAGE}?q={}", "a".repeat(len - PAGE.len() - 3));
            assert_eq!(link_in(&link), Some(if is_whole { &*link } else { PAGE }), "{len}");
        }
    }
}
