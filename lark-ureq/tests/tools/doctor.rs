//! `doctor` against a fake Lark, with each thing wrong in turn.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener};
use std::time::{Duration, SystemTime};

use lark_proto::bytes::Bytes;
use lark_proto::fake::{FakeLark, Fault, Route, TokenKind};
use lark_proto::http::Response;
use lark_ureq::FakeServer;
use serde_json::{Value, json};

use crate::support::{Output, Tool};

const BOT: Route = Route::Own { method: "GET", path: "/open-apis/bot/v3/info" };
const SCOPES: Route = Route::Own { method: "GET", path: "/open-apis/application/v6/scopes" };
const IN_CHAT: Route =
    Route::Own { method: "GET", path: "/open-apis/im/v1/chats/:chat_id/members/is_in_chat" };

const TOKEN: &str = "t-hidden17a4acfc3a11d4ed24d";
const MINUTE: Duration = Duration::from_secs(60);

/// A run of the tool in which all is well, until a test changes something.
struct Trial {
    server: FakeServer,
    variables: Vec<(&'static str, String)>,
    args: Vec<String>,
}

impl Trial {
    fn new() -> Self {
        let server = FakeServer::start().unwrap();
        let variables = vec![
            ("LARK_SITE", server.site().to_string()),
            ("LARK_APP_ID", FakeLark::APP_ID.to_owned()),
            ("LARK_APP_SECRET", FakeLark::APP_SECRET.to_owned()),
        ];
        let link = format!("https://x.feishu.cn/wiki/{}", FakeLark::WIKI_NODE);
        let args = [&link, FakeLark::CHAT, "--write", "B2"].map(str::to_owned).to_vec();
        let mut trial = Self { server, variables, args };
        trial.date(|now| now);
        trial.bot(&json!({"activate_status": 2, "app_name": "Pictures", "open_id": "ou_1"}));
        trial.scopes(&["sheets:spreadsheet", "wiki:node:read", "im:resource", "im:message"]);
        trial.in_chat(true);
        trial
    }

    fn set(&mut self, name: &'static str, value: impl ToString) {
        self.variables.push((name, value.to_string()));
    }

    fn args(&mut self, args: &[&str]) {
        self.args = args.iter().map(|arg| (*arg).to_owned()).collect();
    }

    /// Every request to `route` fails.
    fn fail(&mut self, route: Route, fault: Fault) {
        self.server.with(|lark| {
            lark.fail_when(move |asked, _| (asked == route).then(|| fault.clone().into()));
        });
    }

    fn code(&mut self, route: Route, code: i64) {
        self.fail(route, Fault::code(400, code, "the service's own text"));
    }

    /// The bot stands beside the code.
    fn bot(&mut self, bot: &Value) {
        let reply = json_reply(&json!({"code": 0, "msg": "ok", "bot": bot}));
        self.server.with(|lark| {
            lark.add_route(BOT, move |_| Err::<(), _>(Fault::from(reply.clone())));
        });
    }

    fn bot_in_data(&mut self) {
        let data = json!({"bot": {"activate_status": 2, "app_name": "Pictures"}});
        self.server.with(|lark| lark.add_route(BOT, move |_| Ok(data.clone())));
    }

    fn scopes(&mut self, names: &[&str]) {
        let scope =
            |name: &&str| json!({"scope_name": name, "scope_type": "tenant", "grant_status": 1});
        self.scope_list(names.iter().map(scope).collect());
    }

    fn scope_list(&mut self, scopes: Value) {
        let answer = json!({"scopes": scopes});
        self.server.with(|lark| lark.add_route(SCOPES, move |_| Ok(answer.clone())));
    }

    fn in_chat(&mut self, is_in_chat: bool) {
        self.server.with(|lark| {
            lark.add_route(IN_CHAT, move |request| match request.value("chat_id") {
                Some(FakeLark::CHAT) => Ok(json!({"is_in_chat": is_in_chat})),
                _ => Err(Fault::code(400, 232006, "Invalid chat_id")),
            });
        });
    }

    /// The token for the right id and secret comes with this date.
    fn date(&mut self, date: impl Fn(SystemTime) -> SystemTime) {
        let body = json!({"code": 0, "msg": "ok", "tenant_access_token": TOKEN, "expire": 7200});
        let mut reply = json_reply(&body);
        let date = httpdate::fmt_http_date(date(now()));
        reply.headers_mut().insert("date", date.parse().unwrap());
        self.server.with(|lark| {
            lark.add_token(TokenKind::Tenant, TOKEN, now() + 120 * MINUTE);
            lark.add_open_route(Route::TenantAccessToken, move |request| {
                let found: Value = request.json()?;
                Err::<(), _>(if found["app_id"] != FakeLark::APP_ID {
                    Fault::code(200, 10014, "app id not exists")
                } else if found["app_secret"] != FakeLark::APP_SECRET {
                    Fault::code(200, 10014, "app secret invalid")
                } else {
                    Fault::from(reply.clone())
                })
            });
        });
    }

    /// Runs the tool. It shows no secret, whatever happens.
    fn run(&self) -> Output {
        let variables = self.variables.iter();
        let tool = variables
            .fold(Tool::without_account("doctor"), |tool, (name, value)| tool.env(name, value));
        let output = tool.args(&self.args).run();
        for secret in [FakeLark::APP_SECRET, TOKEN, "hidden"] {
            assert!(!format!("{output:?}").contains(secret), "{secret}: {output:?}");
        }
        output
    }
}

fn json_reply(body: &Value) -> Response<Bytes> {
    let reply = Response::builder().header("content-type", "application/json");
    reply.body(body.to_string().into()).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "the tool goes by it too")]
fn now() -> SystemTime {
    SystemTime::now()
}

/// A port of loopback on which nothing listens.
fn closed() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Answers each connection with these bytes; with none it answers nothing.
fn answering(reply: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            if !reply.is_empty() {
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(reply.as_bytes());
                let _ = stream.shutdown(Shutdown::Write);
            }
            // The client closes the connection.
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
        }
    });
    address
}

#[test]
fn every_check_passes_if_all_is_well() {
    let trial = Trial::new();
    let output = trial.run();
    let expected = format!(
        "\
✓ environment app cli_a1b2c3d4e5f6a7b8 at {site}
✓ network     no proxy
✓ connection  {site} answers
✓ clock       within 5 minutes of the service's
✓ app         the id and the secret are right, the token lasts 120 minutes
✓ bot         `Pictures` is on
✓ scopes      sheets:spreadsheet, wiki:node:read, im:resource, im:message
✓ document    the app can read the spreadsheet shtcngNygNfuqhxTBf588jwgWbJ
✓ edit right  a picture is in Q7PlXT!B2:B2 now, written and read back
✓ chat        the bot is in oc_5ad11d72b830411d72b836c20
none of 10 checks failed
",
        site = trial.server.site()
    );
    assert_eq!((output.stdout, output.stderr), (expected, String::new()));
    assert_eq!(output.status.code(), Some(0));
    trial.server.with(|lark| {
        let cell = lark.cell(FakeLark::SPREADSHEET, "Q7PlXT!B2").unwrap();
        assert_eq!(cell.bytes, &include_bytes!("../../examples/sample.png")[..]);
    });
}

/// What is changed, the beginning of the one line that shows it, and the words in that line.
type Wrong = (fn(&mut Trial), &'static str, &'static [&'static str]);

/// The output of each trial has this line, and no line fails but one that is expected to.
fn check(table: &[Wrong]) {
    for (change, line, words) in table {
        let mut trial = Trial::new();
        change(&mut trial);
        let output = trial.run();
        let text = &output.stdout;
        let found: Vec<&str> = text.lines().filter(|found| found.starts_with(line)).collect();
        assert_eq!(found.len(), 1, "{line}: {output:?}");
        for word in *words {
            assert!(found[0].contains(word), "{word}: {}", found[0]);
        }
        let fails = usize::from(line.starts_with('✗'));
        assert_eq!(text.lines().filter(|line| line.starts_with('✗')).count(), fails, "{text}");
        assert_eq!(output.status.code(), i32::try_from(fails).ok(), "{text}");
        let count = if fails == 1 { "1 of 10 checks failed" } else { "none of 10 checks failed" };
        assert!(text.lines().last().unwrap().starts_with(count), "{text}");
        assert_eq!(text.lines().count(), 11, "{text}");
        assert_eq!(output.stderr, "");
    }
}

#[test]
fn a_variable_that_is_missing_or_wrong_is_named() {
    check(&[
        (|it| it.variables.clear(), "✗ environment", &["LARK_APP_ID is not set"]),
        (|it| it.set("LARK_APP_ID", ""), "✗ environment", &["LARK_APP_ID is not set"]),
        (|it| it.set("LARK_APP_SECRET", ""), "✗ environment", &["LARK_APP_SECRET is not set"]),
        (|it| it.set("LARK_APP_SECRET", "hidden hidden"), "✗ environment", &["LARK_APP_SECRET"]),
        (|it| it.set("LARK_SITE", "lrak"), "✗ environment", &["LARK_SITE is `lark`, `feishu`"]),
        (|it| it.set("LARK_SITE", "http://lark.example"), "✗ environment", &["https://"]),
        (|it| it.set("LARK_SITE", "https://a.example/open-apis"), "✗ environment", &["without"]),
    ]);
}

const PAGE: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 26\r\n\r\n\
    <html>Please log in.</html>";
const ELSEWHERE: &str =
    "HTTP/1.1 302 Found\r\nLocation: http://login.example/\r\nContent-Length: 0\r\n\r\n";
const FOUR_OH_SEVEN: &str = "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n";
const FORBIDDEN: &str = "HTTP/1.1 403 Forbidden\r\n\r\n";

#[test]
fn a_connection_that_fails_is_told_by_its_cause() {
    check(&[
        (
            |it| it.set("LARK_SITE", "https://lark.invalid"),
            "✗ connection",
            &["the name lark.invalid is not found", "check LARK_SITE"],
        ),
        (
            |it| it.set("LARK_SITE", format!("http://{}", closed())),
            "✗ connection",
            &["refuses the connection", "check LARK_SITE"],
        ),
        (
            |it| it.set("LARK_SITE", format!("http://{}", answering(PAGE))),
            "✗ connection",
            &["does not answer as the service does", "open it in a browser", "Please log in"],
        ),
        (
            |it| it.set("LARK_SITE", format!("http://{}", answering(ELSEWHERE))),
            "✗ connection",
            &["does not answer as the service does", "HTTP 302"],
        ),
        (
            |it| it.fail(Route::TenantAccessToken, Fault::PlainNotFound),
            "✗ connection",
            &["does not know this route"],
        ),
        (
            |it| it.set("LARK_SITE", format!("http://{}", answering(""))),
            "✗ connection",
            &["does not answer in time", "HTTPS_PROXY"],
        ),
    ]);
}

/// A site that only a proxy can reach.
fn through(it: &mut Trial, proxy: impl ToString) {
    it.set("LARK_SITE", "https://lark.invalid");
    it.set("HTTPS_PROXY", proxy);
}

#[test]
fn a_proxy_that_fails_is_told_by_its_variable() {
    check(&[
        (
            |it| through(it, "http://a:1http://b:2"),
            "✗ network",
            &["HTTPS_PROXY: ", "is not a proxy"],
        ),
        (|it| through(it, ""), "✗ network", &["`HTTPS_PROXY` is empty"]),
        (
            |it| through(it, format!("http://ann:hidden@{}", closed())),
            "✗ connection",
            &["the proxy 127.0.0.1:", "refuses the connection", "check HTTPS_PROXY"],
        ),
        (
            |it| through(it, "http://proxy.invalid:3128"),
            "✗ connection",
            &["the name proxy.invalid is not found", "check HTTPS_PROXY"],
        ),
        (
            |it| through(it, answering(FOUR_OH_SEVEN)),
            "✗ connection",
            &["407", "`http://user:password@host:port`", "HTTPS_PROXY"],
        ),
        (|it| through(it, answering(FORBIDDEN)), "✗ connection", &["403", "administrator"]),
    ]);
}

#[test]
fn the_proxy_in_use_is_shown_without_its_credentials() {
    for (variables, line) in [
        (
            &[("ALL_PROXY", "socks5://ann:hidden@127.0.0.1:9")][..],
            "through the proxy socks5://127.0.0.1:9 of ALL_PROXY",
        ),
        (
            &[("HTTPS_PROXY", "127.0.0.1:9"), ("NO_PROXY", "invalid")],
            "no proxy, because NO_PROXY lists the host",
        ),
        (&[("NO_PROXY", "invalid")], "no proxy"),
        (&[("HTTP_PROXY", "127.0.0.1:9")], "no proxy"),
    ] {
        let mut trial = Trial::new();
        trial.set("LARK_SITE", "https://lark.invalid");
        variables.iter().for_each(|(name, value)| trial.set(name, value));
        let output = trial.run();
        let expected = format!("✓ network     {line}");
        assert!(output.stdout.lines().any(|line| line == expected), "{expected}: {output:?}");
    }
}

#[cfg(feature = "tls")]
mod tls {
    use std::sync::Arc;

    use rustls::pki_types::PrivateKeyDer;
    use rustls::{ServerConfig, ServerConnection};

    use super::*;

    /// The address of a server whose certificate is for `name`, and its certificate in PEM.
    fn server(name: &str) -> String {
        let own = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![own.cert.der().clone()], key)
            .unwrap();
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut tls = ServerConnection::new(config.clone()).unwrap();
                // The client ends the handshake.
                drop(tls.complete_io(&mut stream.unwrap()));
            }
        });
        format!("https://localhost:{port}")
    }

    #[test]
    fn a_certificate_that_is_not_trusted_is_told_from_a_port_without_tls() {
        check(&[
            (
                |it| it.set("LARK_SITE", server("localhost")),
                "✗ connection",
                &["no secure connection", "UnknownIssuer", "platform-verifier"],
            ),
            (
                |it| it.set("LARK_SITE", format!("https://{}", answering(PAGE))),
                "✗ connection",
                &["does not speak TLS", "check the scheme"],
            ),
        ]);
    }
}

#[test]
fn a_clock_that_is_off_is_a_warning() {
    check(&[
        (|it| it.date(|now| now - 12 * MINUTE), "! clock", &["12 minutes ahead of", "set"]),
        (|it| it.date(|now| now + 121 * MINUTE), "! clock", &["minutes behind"]),
        (|it| it.date(|now| now + 4 * MINUTE), "✓ clock", &["within 5 minutes"]),
    ]);
}

#[test]
fn an_app_that_gets_no_token_is_told_by_the_reason() {
    check(&[
        (
            |it| it.set("LARK_APP_ID", "cli_other"),
            "✗ app",
            &["app id not exists", "check the app id"],
        ),
        (
            |it| it.set("LARK_APP_SECRET", "hidden"),
            "✗ app",
            &["app secret invalid", "the app secret"],
        ),
        (|it| it.code(Route::TenantAccessToken, 10003), "✗ app", &["10003", "an app of Feishu"]),
        (|it| it.code(Route::TenantAccessToken, 10015), "✗ app", &["10015", "the app secret"]),
        (|it| it.code(Route::TenantAccessToken, 99991662), "✗ app", &["99991662"]),
        (|it| it.code(Route::TenantAccessToken, 2200), "✗ app", &["2200"]),
    ]);
}

#[test]
fn a_bot_that_is_off_is_told_by_its_state() {
    check(&[
        (|it| it.code(BOT, 11205), "✗ bot", &["turn on the bot", "version"]),
        (|it| it.code(BOT, 10001), "✗ bot", &["add the feature Bot", "version"]),
        (|it| it.bot(&json!({"activate_status": 0})), "✗ bot", &["release a version"]),
        (|it| it.bot(&json!({"activate_status": 1})), "✗ bot", &["administrator"]),
        (|it| it.bot(&json!({"activate_status": 3})), "✗ bot", &["administrator"]),
        (|it| it.bot(&json!({"activate_status": 5})), "✗ bot", &["licence"]),
        (|it| it.bot(&json!({"activate_status": 6})), "✗ bot", &["plan"]),
        (|it| it.bot(&json!({"app_name": "Pictures"})), "✓ bot", &["`Pictures` is on"]),
        (|it| it.bot_in_data(), "✓ bot", &["`Pictures` is on"]),
    ]);
}

#[test]
fn a_scope_that_is_missing_is_named_with_the_page_that_adds_it() {
    check(&[
        (
            |it| it.scopes(&["wiki:wiki", "im:resource", "im:message"]),
            "✗ scopes",
            &[
                "none of `sheets:spreadsheet`, `drive:drive` is there to write into cells",
                "/app/cli_a1b2c3d4e5f6a7b8/auth?q=sheets:spreadsheet&op_from=openapi&token_type=tenant",
                "release a new version of the app",
            ],
        ),
        (
            |it| it.scopes(&["drive:drive", "im:resource", "im:message"]),
            "✗ scopes",
            &["to find a page of a wiki", "?q=wiki:node:read&"],
        ),
        (
            |it| it.scopes(&["drive:drive", "wiki:wiki", "im:message"]),
            "✗ scopes",
            &["to upload images", "?q=im:resource:upload&"],
        ),
        (
            |it| it.scopes(&["drive:drive", "wiki:wiki", "im:resource:upload"]),
            "✗ scopes",
            &["to send messages", "?q=im:message:send_as_bot&"],
        ),
        (
            |it| it.scopes(&[]),
            "✗ scopes",
            &["?q=sheets:spreadsheet,wiki:node:read,im:resource:upload,im:message:send_as_bot&"],
        ),
        (
            |it| {
                it.scope_list(json!([
                    {"scope_name": "drive:drive", "grant_status": 1},
                    {"scope_name": "wiki:wiki", "grant_status": 1},
                    {"scope_name": "im:resource", "grant_status": 2},
                    {"scope_name": "im:message", "scope_type": "user", "grant_status": 1},
                ]));
            },
            "✗ scopes",
            &[
                "`im:resource` to upload images is added and not in effect yet",
                "?q=im:message:send_as_bot&",
            ],
        ),
        (|it| it.fail(SCOPES, Fault::PlainNotFound), "– scopes", &["cannot be listed"]),
        (|it| it.code(SCOPES, 99991672), "– scopes", &["cannot be listed", "99991672"]),
    ]);
}

/// A spreadsheet that the fake does not have.
const LINK: &str = "https://x.feishu.cn/sheets/shtcnUnknown";

#[test]
fn a_document_that_cannot_be_read_is_told_by_the_reason() {
    check(&[
        (|it| it.args(&[LINK]), "✗ document", &["wiki page", "the other brand"]),
        (
            |it| it.args(&["https://x.feishu.cn/wiki/wikcnUnknown"]),
            "✗ document",
            &["131005", "check the link"],
        ),
        (
            |it| {
                it.server.with(|lark| lark.add_wiki_node("wikcnText", "docx", "doxcnText"));
                it.args(&["wikcnText"]);
            },
            "✗ document",
            &["shows a `docx`, which is not a spreadsheet"],
        ),
        (|it| it.code(Route::SheetsQuery, 91403), "✗ document", &["Add document app"]),
        (|it| it.code(Route::Values, 90213), "✗ document", &["Add document app"]),
    ]);
}

#[test]
fn the_right_to_edit_is_tested_only_by_a_write_that_is_asked_for() {
    check(&[
        (|it| it.code(Route::ValuesImage, 91403), "✗ edit right", &["Add document app"]),
        (
            |it| it.server.with(|lark| lark.set_text(FakeLark::SPREADSHEET, "Q7PlXT!B2", "price")),
            "✗ edit right",
            &["Q7PlXT!B2:B2 is not empty", "left as it is", "name an empty cell"],
        ),
        (|it| it.args.truncate(2), "– edit right", &["`--write CELL`"]),
    ]);
    let mut trial = Trial::new();
    trial.args.truncate(2);
    trial.run();
    assert_eq!(trial.server.with(|lark| lark.begun(Route::ValuesImage)), 0);
    // A picture of an earlier run is replaced.
    let trial = Trial::new();
    for run in 1..=2 {
        assert_eq!(trial.run().status.code(), Some(0));
        assert_eq!(trial.server.with(|lark| lark.begun(Route::ValuesImage)), run);
    }
}

#[test]
fn a_chat_that_gets_no_message_is_told_by_the_reason() {
    check(&[
        (|it| it.in_chat(false), "✗ chat", &["the bot is not in the group", "add it"]),
        (|it| it.args(&["oc_other"]), "✗ chat", &["232006", "no group has this id"]),
        (|it| it.code(IN_CHAT, 232009), "✗ chat", &["232009"]),
        (|it| it.code(IN_CHAT, 232010), "✗ chat", &["another organisation"]),
        (|it| it.code(IN_CHAT, 232011), "✗ chat", &["add the bot"]),
        (|it| it.code(IN_CHAT, 232025), "✗ chat", &["add the feature Bot"]),
        (|it| it.code(IN_CHAT, 232034), "✗ chat", &["enable the app"]),
        (|it| it.code(BOT, 11205), "✗ bot", &["turn on the bot"]),
        (|it| it.args(&[FakeLark::OPEN_ID]), "– chat", &["only a message"]),
        (|it| it.args(&[FakeLark::EMAIL]), "– chat", &["only a message"]),
        (|it| it.code(IN_CHAT, 99991672), "– chat", &["a scope is missing"]),
        (|it| it.fail(IN_CHAT, Fault::PlainNotFound), "– chat", &["this site cannot tell"]),
    ]);
}

#[test]
fn what_the_arguments_do_not_need_is_not_checked() {
    const SHEETS: &[&str] = &["sheets:spreadsheet"];
    const CHATS: &[&str] = &["im:resource:upload", "im:message:send_as_bot"];
    check(&[
        (
            |it| {
                it.args(&[FakeLark::SPREADSHEET]);
                it.scopes(SHEETS);
                it.code(BOT, 11205);
            },
            "✓ scopes",
            SHEETS,
        ),
        (|it| it.args(&[FakeLark::SPREADSHEET]), "– bot", &["only messages need it"]),
        (|it| it.args(&[FakeLark::SPREADSHEET]), "– chat", &["no CHAT is given"]),
        (
            |it| {
                it.args(&[FakeLark::CHAT]);
                it.scopes(CHATS);
            },
            "✓ scopes",
            CHATS,
        ),
        (|it| it.args(&[FakeLark::CHAT]), "– document", &["no LINK is given"]),
        (
            |it| {
                it.args(&[]);
                it.scopes(SHEETS);
            },
            "✗ scopes",
            &["to upload images", "to send messages"],
        ),
        (|it| it.args(&[FakeLark::CHAT, FakeLark::WIKI_NODE]), "✓ document", &["can read"]),
    ]);
}

#[test]
fn a_check_after_one_that_failed_is_not_made() {
    let mut trial = Trial::new();
    trial.set("LARK_APP_SECRET", "wrong1");
    let output = trial.run();
    let rest: Vec<&str> = output.stdout.lines().skip(5).collect();
    let names = ["bot       ", "scopes    ", "document  ", "edit right", "chat      "];
    let expected = names.map(|name| format!("– {name}  not checked: needs `app`"));
    assert_eq!(rest[..5], expected);
    // The fake's refusal of a token has no date.
    assert_eq!(rest[5], "1 of 10 checks failed, 6 were not made");
}

#[test]
fn no_picture_is_written_into_a_document_that_cannot_be_read() {
    let mut trial = Trial::new();
    trial.code(Route::Values, 90213);
    let output = trial.run();
    assert!(output.stdout.contains("– edit right  not checked: needs `document`"), "{output:?}");
    assert_eq!(trial.server.with(|lark| lark.begun(Route::ValuesImage)), 0);
}

#[test]
fn a_secret_that_a_reply_quotes_is_not_shown() {
    let mut trial = Trial::new();
    let quoted = format!("HTTP 500 for {} and {TOKEN}", FakeLark::APP_SECRET);
    trial.fail(Route::TenantAccessToken, Fault::code(400, 42, quoted.clone()));
    assert!(trial.run().stdout.contains("HTTP 500 for ***"));
    let mut trial = Trial::new();
    trial.fail(BOT, Fault::code(400, 42, quoted));
    assert!(trial.run().stdout.contains("HTTP 500 for ***"));
}

#[test]
fn wrong_usage_ends_before_a_request() {
    for (args, words) in [
        (&["--write", "B2"][..], "`--write` needs a LINK"),
        (&["--wrote", "B2"], "--wrote"),
        (&[LINK, "--write"], "--write"),
        (&[LINK, "--write", "2B"], "`2B` is not a cell"),
        (&[LINK, LINK], "at most one LINK"),
        (&["oc_a", "oc_b"], "at most one LINK, one CHAT"),
        (&["oc_"], "`oc_` is not the id of a receiver"),
        (&["https://x.feishu.cn/docx/doxcnabc"], "is a document"),
        (&[""], "is not a spreadsheet's token"),
    ] {
        let mut trial = Trial::new();
        trial.args(args);
        let output = trial.run();
        assert_eq!((output.status.code(), &*output.stdout), (Some(2), ""), "{args:?}");
        assert!(output.stderr.contains(words), "{args:?}: {}", output.stderr);
        assert!(output.stderr.contains("usage: doctor"), "{args:?}: {}", output.stderr);
        assert_eq!(trial.server.with(|lark| lark.requests().len()), 0);
    }
}

#[test]
fn help_names_the_arguments_the_variables_and_the_exit_codes() {
    let output = Tool::without_account("doctor").args(["--help"]).run();
    assert_eq!(output.status.code(), Some(0));
    for word in ["usage: doctor", "LINK", "--write", "LARK_APP_SECRET", "HTTPS_PROXY", "Exit codes"]
    {
        assert!(output.stdout.contains(word), "{word}: {}", output.stdout);
    }
}
