use super::*;

const TOKEN: &str = "t-caecc734c2e3328a62489fe0648c4b98779515d3";

fn clear(text: &str) -> String {
    Secrets::default().clear(text.as_bytes(), 1024)
}

fn clear_of(secret: &str, text: &str) -> String {
    Secrets::new(None, vec![secret.to_owned()]).clear(text.as_bytes(), 1024)
}

#[test]
fn a_part_that_looks_like_a_secret_is_cleared() {
    for (text, shown) in [
        // Tokens by their beginning.
        (format!("invalid token {TOKEN}."), "invalid token ***"),
        (format!("invalid token {TOKEN}, log in"), "invalid token ***, log in"),
        (format!("<{TOKEN}>, u-g1044qeGEDXTB6NDJOGV4JQ"), "<***>, ***"),
        ("a-6U1SbDiM6XIH2DcTCPyeub".into(), "***"),
        ("ur-cjp8X7NdhTB6NDJOGV4JQ!".into(), "***!"),
        ("u-5dM5qFz.N7rXG-dcV_0".into(), "***"),
        ("(eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJ4In0.c2ln)".into(), "(***)"),
        (format!("%22{}%22", TOKEN.replace('-', "%2d")), "%22***%22"),
        (format!(r"\n{}\n", TOKEN.replace('-', r"\u002D")), r"\n***\n"),
        (format!("&quot;{}&quot;", TOKEN.replace('-', "&#45;")), "&quot;***&quot;"),
        (TOKEN.replace('-', r"\\u002d"), "***"),
        (TOKEN.replace('-', "%252D"), "***"),
        // The value begins with an escape of another kind than the one before the name.
        (r#"{"m":"\ttoken=%26s3cr9t77"}"#.into(), r#"{"m":"\ttoken=***"}"#),
        // The value after `Bearer`.
        ("no Bearer t-SECRET here".into(), "no Bearer *** here"),
        ("bearer  s3cret\" x".into(), "bearer  ***\" x"),
        ("Authorization: Bearer:s3cret".into(), "Authorization: ***"),
        ("no Bearer \"s3cret\" here".into(), "no Bearer \"***\" here"),
        ("no Bearer `s3cret` here".into(), "no Bearer `***` here"),
        ("no Bearer [s3cret] here".into(), "no Bearer [***] here"),
        ("app_secret: `s3cret`".into(), "app_secret: `***`"),
        ("`app_secret`: `s3cret`".into(), "`app_secret`: `***`"),
        ("[app_secret]=s3cret".into(), "[app_secret]=***"),
        ("app_secret=(s3cret)".into(), "app_secret=(***)"),
        ("app_secret=<s3cret>".into(), "app_secret=<***>"),
        ("authorization: basic dXNlcjpwYXNz;".into(), "authorization: basic ***;"),
        ("Authorization: 7f1b9a".into(), "Authorization: ***"),
        // The value of a name, in JSON, a query and a header.
        (
            r#"{"app_id":"cli_x","app_secret":"s, e"}"#.into(),
            r#"{"app_id":"cli_x","app_secret":"***"}"#,
        ),
        (r#"{"app_secret" : "s\"e\"c", "x":1}"#.into(), r#"{"app_secret" : "***", "x":1}"#),
        (r#"{\"app_secret\":\"s\",\"x\":1}"#.into(), r#"{\"app_secret\":\"***\",\"x\":1}"#),
        (r#"{"Tenant_Access_Token":["t-1"],"x":1}"#.into(), r#"{"Tenant_Access_Token":***"#),
        (r#"{"app_ticket":{"t-1":1}}"#.into(), r#"{"app_ticket":***"#),
        (r#"{"refreshToken":"ur-1"#.into(), r#"{"refreshToken":"***"#),
        ("{'appSecret': 's'}".into(), "{'appSecret': '***'}"),
        ("?app_secret=secret&x=1".into(), "?app_secret=***&x=1"),
        ("app_secret=s3c\u{200d}r3t, x".into(), "app_secret=***, x"),
        ("app_secret%3Dsecret%26x=1".into(), "app_secret%3D***%26x=1"),
        ("X-App-Secret: s3cret\r\nX: 1".into(), "X-App-Secret: ***  X: 1"),
        ("token => 123".into(), "token => ***"),
        ("access_token = eyJh, x".into(), "access_token = ***, x"),
        ("app_secret：s3cret，x".into(), "app_secret：***"),
        ("app_secret\tdskLLdkasdKsdfjkl is wrong".into(), "app_secret *** is wrong"),
        ("invalid app secret  dskLLdkasdKsdfjkl".into(), "invalid app secret  ***"),
        ("<app_secret>s3cret</app_secret>".into(), "<app_secret>***</app_secret>"),
        ("&lt;token&gt;s3cret&lt;/token&gt;".into(), "&lt;token&gt;***&lt;/token&gt;"),
        ("authorization=Bearer+s3cret".into(), "authorization=***"),
        ("?x=Bearer+s3cret".into(), "?x=Bearer+***"),
    ] {
        assert_eq!(clear(&text), shown, "{text}");
    }
}

#[test]
fn an_ordinary_text_is_not_changed() {
    for text in [
        "t-shirt",
        "a u-turn and a t-junction-of-two-streets",
        "a-photo-of-the-team-in-2024.png",
        "t-img20240301v2b_final-7f1b.jpeg",
        "t-2024-12-31-23-59-59",
        "IMG-20240301-WA0001.jpg",
        "report-1a2b3c4d5e6f7a8b9c0d.bin",
        "a-long-name-in-kebab-case.with.dots",
        "20260203112233010198076042A1B2C3D4",
        "img_v3_02ab_7f1b9a0c-2d4e-5f60-8a9b-0c1d2e3f4a5b",
        "fd3a475a-0c27-4071-a9a6-8712b84b0cb6",
        "shtcngNygNfuqhxTBf588jwgWbJ",
        "Missing access token for authorization. Please make a request with token attached.",
        "Invalid access token for authorization. Please make a request with token attached.",
        "The header must be `Bearer <token>`; a bearer token is missing",
        "app secret invalid",
        "token: invalid",
        "token: invalid.",
        "a bearer token. Basic information: name, Basic 版本",
        "token：无效, app_secret=无效",
        "the app secret of cli_x; access_token shtcn",
        "invalid token shtcngNygNfuqhxTBf588jwgWbJ",
        "put <token> into the header, <token>. <token>now",
        "access_token: expired, app_ticket: ",
        "<msg>t8s9d7f6g5</msg>",
        "app_secret>t8s9d7f6g5",
        "app_secret=",
        r#"{"app_secret":"","code":10003,"access_token":null}"#,
        r#"{"code":0,"data":{"spreadsheetToken":"sht1","file_token":"box7","token_type":"tenant"}}"#,
        "https://open.feishu.cn/app/cli_x/auth?q=im:resource&op_from=openapi&token_type=tenant",
        "https://open.feishu.cn/search?from=openapi&log_id=2026A1&code=99991672&method_id=7",
        "wrong range=FYZ5JP!P60: 100 % of \\ and & and ; and %zz and &#; and &nope;",
        "应用尚未开通所需的应用身份权限：[im:resource]",
    ] {
        assert_eq!(clear(text), text);
    }
}

#[test]
fn a_file_name_with_a_known_extension_is_not_a_token() {
    let name = |extension: &str| format!("t-img20240301v2b_final-7f1b.{extension}");
    for extension in [
        "png", "jpg", "jpeg", "gif", "bmp", "webp", "tif", "tiff", "heic", "ico", "bpg", "svg",
        "pdf", "json", "xlsx", "csv", "WEBP",
    ] {
        assert_eq!(clear(&name(extension)), name(extension));
    }
    assert_eq!(clear(&name("bin")), "***");
}

#[test]
fn a_secret_of_the_request_is_cleared_in_any_case_spacing_and_escaping() {
    let secret = r#"s3c%"re\t/t&Key<"#;
    let each =
        |form: fn(u32) -> String| -> String { secret.chars().map(|c| form(c.into())).collect() };
    let forms = [
        secret.to_owned(),
        secret.to_uppercase(),
        each(|c| format!("{} ", char::from_u32(c).unwrap())),
        each(|c| format!("{}\u{200b}", char::from_u32(c).unwrap())),
        each(|c| format!("{}\r\n", char::from_u32(c).unwrap())),
        each(|c| format!("%{c:02x}")),
        each(|c| format!("%25{c:02X}")),
        each(|c| format!("\\u{c:04x}")),
        each(|c| format!("\\\\u{c:04X}")),
        each(|c| format!("\\x{c:02X}")),
        each(|c| format!("&#{c};")),
        each(|c| format!("&#x{c:x};")),
        serde_json::to_string(secret).unwrap().trim_matches('"').to_owned(),
        secret.replace('\\', "\\\\").replace('/', "\\/"),
        secret.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;"),
        each(|c| format!("\\x{{{c:x}}}")),
        each(|c| char::from_u32(c).map(with_backslash).unwrap()),
    ];
    for form in forms {
        let cleared = clear_of(secret, &format!("a {form} b {form}"));
        let cleared = cleared.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(cleared, "a *** b ***", "{form}");
    }
}

/// `c`, with a backslash before it if it is punctuation.
fn with_backslash(c: char) -> String {
    if c.is_ascii_punctuation() { format!("\\{c}") } else { c.into() }
}

#[test]
fn a_secret_with_invisible_characters_between_its_own_is_cleared() {
    let secret = "dskLLdkasdKsdfjkl";
    for between in [
        "\u{200b}",
        "\u{200c}",
        "\u{200d}",
        "\u{fe0f}",
        "\u{e0100}",
        "&zwj;",
        "&lrm;",
        "&thinsp;",
        "&#8205;",
        r"\u200d",
    ] {
        let letters: Vec<String> = secret.chars().map(String::from).collect();
        assert_eq!(clear_of(secret, &letters.join(between)), "***", "{between}");
    }
}

#[test]
fn a_secret_with_spaces_is_cleared_in_the_encoding_of_a_form() {
    for text in ["my pass word 99", "my+pass+word+99", "my%20pass%20word%2099"] {
        assert_eq!(clear_of("my pass word 99", &format!("<{text}>")), "<***>", "{text}");
    }
}

#[test]
fn a_secret_that_is_not_ascii_is_cleared_if_its_bytes_are_escaped() {
    let secret = "pässw图rd1";
    for text in [
        secret,
        "p%C3%A4ssw%E5%9B%BErd1",
        r"p\xc3\xa4ssw\xe5\x9b\xberd1",
        r"p\303\244ssw\345\233\276rd1",
        r"p\u00e4ssw\u56ferd1",
    ] {
        assert_eq!(clear_of(secret, &format!("<{text}>")), "<***>", "{text}");
    }
}

#[test]
fn two_escaped_characters_are_not_the_bytes_of_one() {
    let secret = "p\u{c3}\u{a4}ssword1";
    for text in [r"p\u00c3\u00a4ssword1", "p&#xc3;&#xa4;ssword1", "p&#195;&#164;ssword1"] {
        assert_eq!(clear_of(secret, text), "***", "{text}");
    }
}

#[test]
fn a_text_of_letters_and_digits_is_cleared_of_a_secret_with_spaces_or_escapes() {
    for (secret, text) in [
        ("%41%42%43%44%45", "xABCDEx"),
        ("pass word 1", "xpassword1x"),
        ("pass+word+1", "xpassword1x"),
        ("passw\u{200b}ord", "xpasswordx"),
    ] {
        assert_eq!(clear_of(secret, text), "x***x", "{secret}");
    }
}

#[test]
fn a_secret_of_spaces_is_not_searched_for() {
    for secret in ["        ", "\u{200b}\u{200b}\u{200b}", "++++++++"] {
        assert_eq!(clear_of(secret, "a text, with a +"), "a text, with a +", "{secret:?}");
    }
}

#[test]
fn the_beginning_of_a_secret_before_an_ellipsis_is_cleared() {
    let secret = "Ab3dEf6hIj9kLm2nOp5q";
    for (text, shown) in [
        ("the secret Ab3dEf6hIj9k… is wrong", "the secret ***… is wrong"),
        ("the secret ab 3d EF6h… is wrong", "the secret ***… is wrong"),
        (r"Ab3d\u0045f6h\u00… or Ab3d…", r"***\u00… or ***…"),
        ("Ab3%64E%… or Ab3%64E%256…", "***%… or ***%256…"),
        ("Ab3…, Ab3dEf6hIj9k, b3dEf6hIj9k…", "Ab3…, Ab3dEf6hIj9k, b3dEf6hIj9k…"),
    ] {
        assert_eq!(clear_of(secret, text), shown, "{text}");
    }
    // The longest beginning counts, whatever repeats in the secret.
    assert_eq!(clear_of("aabaabaaac", "aabaabaabaa…"), "aab***…");
}

#[test]
fn a_secret_of_nested_escapes_has_four_needles_at_most() {
    let nested = "%".to_owned() + &"25".repeat(2047);
    assert_eq!(needles(nested.as_bytes()).len(), 4);
}

#[test]
fn the_token_of_the_request_is_cleared() {
    let header = HeaderValue::from_static("Bearer p1ain-t0ken");
    let secrets = Secrets::new(Some(header), Vec::<String>::new());
    assert_eq!(secrets.clear(b"<P1AIN-T0KEN>", 60), "<***>");
}

#[test]
fn the_secrets_of_a_request_are_never_printed() {
    let header = HeaderValue::from_static("Bearer p1ain-t0ken");
    let secrets = Secrets::new(Some(header), vec!["0123abcd".to_owned()]);
    assert_eq!(format!("{secrets:?}"), "Secrets(***)");
}

#[test]
fn a_secret_of_less_than_8_bytes_is_not_searched_for() {
    assert_eq!(clear_of("0123abc", "0123abc"), "0123abc");
    assert_eq!(clear_of("0123abcd", "0123ABCD"), "***");
    assert_eq!(clear_of("0123abcde", "0123ABCDE"), "***");
}

#[test]
fn an_unescaped_secret_of_less_than_4_bytes_is_not_searched_for() {
    assert_eq!(clear_of("%41%42%43", "x abc"), "x abc");
    assert_eq!(clear_of("%41%42%43%44", "x abcd"), "x ***");
}

#[test]
fn a_text_is_unescaped_three_times() {
    for (dash, is_found) in
        [("-", true), ("%2d", true), ("%252d", true), ("%25252d", true), ("%2525252d", false)]
    {
        let text = TOKEN.replace('-', dash);
        let shown = if is_found { "***" } else { &*text };
        assert_eq!(clear(&text), shown);
    }
}

#[test]
fn an_html_escape_has_at_most_8_digits() {
    assert_eq!(clear(&TOKEN.replace('-', "&#00000045;")), "***");
    let longer = TOKEN.replace('-', "&#000000045;");
    assert_eq!(clear(&longer), longer);
}

#[test]
fn a_value_looks_like_a_secret_only_from_a_minimum_length_on() {
    let letters = "a".repeat(15);
    for (ordinary, secret, shown) in [
        // A token has 16 characters after its prefix.
        ("t-a1b2c3d4e5f6g7h", "t-a1b2c3d4e5f6g7h8", "***"),
        ("ur-a1b2c3d4e5f6g7h", "ur-a1b2c3d4e5f6g7h8", "***"),
        ("(eyJhbGciOiJFUzI1Ni)", "(eyJhbGciOiJFUzI1NiJ)", "(***)"),
        // A word has at most 15 letters.
        (&*format!("t-{letters}-1"), &*format!("t-{letters}a-1"), "***"),
        // After a space, a value has 16 characters.
        ("app_secret a1b2c3d4e5f6g7h", "app_secret a1b2c3d4e5f6g7h8", "app_secret ***"),
        // In XML, a value has 4 characters.
        ("<app_secret>s3c</>", "<app_secret>s3cr</>", "<app_secret>***</>"),
    ] {
        assert_eq!(clear(ordinary), ordinary);
        assert_eq!(clear(secret), shown, "{secret}");
    }
}

#[test]
fn a_text_of_at_most_128_letters_and_digits_is_an_id() {
    let id = "eyJ".to_owned() + &"a1".repeat(62) + "b";
    assert_eq!(id.len(), 128);
    assert_eq!(clear(&id), id);
    assert_eq!(clear(&(id + "2")), "***");
}

#[test]
fn a_quoted_value_ends_only_at_a_quote_that_no_character_of_a_value_follows() {
    for (text, shown) in [
        (r#"app_secret:"a"b", c"#, r#"app_secret:"***", c"#),
        (r#"app_secret:"a"       b", c"#, r#"app_secret:"***", c"#),
        (r#"app_secret:"a"        b", c"#, r#"app_secret:"***"        b", c"#),
        (r#"app_secret:"a", b", c"#, r#"app_secret:"***", b", c"#),
    ] {
        assert_eq!(clear(text), shown, "{text}");
    }
}

#[test]
fn a_secret_that_contains_escapes_is_cleared_and_an_ordinary_text_is_not() {
    for secret in
        [r"\n\n\n\n\n", "%20%20%20", "%41%42%43", r"\\\\\\\\", "&lt;&lt;", "%41%42%43%44%45"]
    {
        assert_eq!(clear_of(secret, &format!("a {secret} b")), "a *** b", "{secret}");
        assert_eq!(clear_of(secret, "a b, <ABC> A-B"), "a b, <ABC> A-B", "{secret}");
        let escaped: String = secret.bytes().map(|byte| format!("%{byte:02x}")).collect();
        assert_eq!(clear_of(secret, &escaped), "***", "{secret}");
    }
}

#[test]
fn a_secret_whose_end_forms_an_escape_with_the_next_character_is_cleared() {
    let secret = r#"!!"a!A%a"#;
    for text in [r#"!!\"a!A%aA"#, "!!%22a!A%25aA", "!!&quot;a!A%aA", r#"\!!"a!A%aA"#] {
        let shown = clear_of(secret, text);
        assert!(shown.ends_with("***A"), "{text}: {shown}");
    }
    // The escapes of three kinds, one inside the other.
    assert_eq!(clear_of("secret-secret", r"secret\u0026#37;2Dsecret"), "***");
}

#[test]
fn a_cut_leaves_no_part_of_a_secret() {
    for secret in ["0123456789abcdef".to_owned(), "x".repeat(4096)] {
        let escaped: String = secret.bytes().map(|byte| format!("\\u{byte:04x}")).collect();
        let spaces = " ".repeat(100);
        let spaced: String = secret.chars().map(|c| format!("{c}{spaces}")).collect();
        for form in [&secret, &escaped, &spaced] {
            for before in [0, 1, 50, 59, 60, 61] {
                let text = "-".repeat(before) + form + " and more";
                let shown = Secrets::new(None, vec![secret.clone()]).clear(text.as_bytes(), 60);
                let rest = shown.trim_matches(['-', '*', '…']);
                assert!(rest.is_empty() || rest == " and more", "{shown}");
                assert!(shown.len() <= 63, "{shown}");
            }
        }
    }
}

#[test]
fn a_cleared_text_has_at_most_the_bytes_of_its_bound_and_an_ellipsis() {
    let text = b"an ordinary text";
    for (max, shown) in [
        (11, "an ordinary…"),
        (15, "an ordinary tex…"),
        (16, "an ordinary text"),
        (17, "an ordinary text"),
    ] {
        assert_eq!(Secrets::default().clear(text, max), shown);
    }
    let many = "token=a&".repeat(100);
    assert!(clear(&many).len() <= 1027);
    assert_eq!(Secrets::default().clear(many.as_bytes(), 10), "token=***&…");
}

/// The nanoseconds for which this thread has had a processor.
#[cfg(target_os = "linux")]
fn processor_time() -> u64 {
    let times = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    times.split(' ').next().unwrap().parse().unwrap()
}

#[test]
#[cfg(target_os = "linux")]
fn the_time_does_not_grow_with_the_square_of_the_maximum_length() {
    let secrets = Secrets::new(None, vec!["a".repeat(4095) + "b", "\\".repeat(64)]);
    for piece in [
        "a",
        "\\",
        "\\u",
        "%",
        "&",
        "&#1",
        ";",
        "\"",
        "t-",
        "t-a-",
        "eyJ",
        "eyJ-",
        "bearer ",
        "bearer=",
        "token:",
        "token=",
        "token:\"",
        "token:\" ",
        "token:{",
        "app_secret ",
        "<token>",
        ": ",
        "{",
        " ",
        "@",
        "图",
    ] {
        let text = piece.repeat(1 << 20);
        let before = processor_time();
        secrets.clear(text.as_bytes(), 100_000);
        let seconds = (processor_time() - before) / 1_000_000_000;
        // An unoptimised build takes a few tenths of a second, and more than ten seconds where the work is quadratic.
        assert!(seconds < 5, "{piece}: {seconds} s");
    }
}
