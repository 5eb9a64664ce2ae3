//! `doctor` against a fake Lark, with one fault at a time.

mod connection;
mod rights;

use std::time::{Duration, SystemTime};

use lark_proto::bytes::Bytes;
use lark_proto::fake::{FakeLark, Fault, Route, TokenKind};
use lark_proto::http::Response;
use lark_ureq::FakeServer;
use serde_json::{Value, json};

use crate::tools::support::{Output, Tool};

const BOT: Route = Route::Own { method: "GET", path: "/open-apis/bot/v3/info" };
const SCOPES: Route = Route::Own { method: "GET", path: "/open-apis/application/v6/scopes" };
const IN_CHAT: Route =
    Route::Own { method: "GET", path: "/open-apis/im/v1/chats/:chat_id/members/is_in_chat" };

/// A spreadsheet that the fake does not have.
const LINK: &str = "https://x.feishu.cn/sheets/shtcnUnknown";
const TOKEN: &str = "t-hidden17a4acfc3a11d4ed24d";
const MINUTE: Duration = Duration::from_secs(60);

/// A run of the tool in which every check passes, unless a test changes something.
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

    fn set(&mut self, name: &'static str, value: impl Into<String>) {
        self.variables.push((name, value.into()));
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

    /// The reply about the bot, with `bot` beside the code.
    fn bot(&mut self, bot: &Value) {
        let reply = json_reply(&json!({"code": 0, "msg": "ok", "bot": bot}));
        self.server.with(|lark| {
            lark.add_route(BOT, move |_| Err::<(), _>(Fault::from(reply.clone())));
        });
    }

    /// The reply about the bot, with `bot` in `data`.
    fn bot_in_data(&mut self) {
        let data = json!({"bot": {"activate_status": 2, "app_name": "Pictures"}});
        self.server.with(|lark| lark.add_route(BOT, move |_| Ok(data.clone())));
    }

    fn scopes(&mut self, names: &[&str]) {
        let scope =
            |name: &&str| json!({"scope_name": name, "scope_type": "tenant", "grant_status": 1});
        self.scope_list(&names.iter().map(scope).collect());
    }

    fn scope_list(&mut self, scopes: &Value) {
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

    /// Runs the tool, and checks that it shows no secret.
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

#[expect(clippy::disallowed_methods, reason = "the tool uses this clock too")]
fn now() -> SystemTime {
    SystemTime::now()
}

#[test]
fn every_check_passes_without_a_fault() {
    let trial = Trial::new();
    let output = trial.run();
    let expected = format!(
        "\
✓ environment app cli_a1b2c3d4e5f6a7b8 at {site}
✓ network     no proxy
✓ connection  {site} answers
✓ clock       within 5 minutes of the service's
✓ app         the id and the secret are right, the token lasts 120 minutes
✓ bot         the bot `Pictures` is on
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
        assert_eq!(cell.bytes, &include_bytes!("../../../../examples/sample.png")[..]);
    });
}

/// A change, the beginning of the one line that shows its effect, and words in that line.
type Row = (fn(&mut Trial), &'static str, &'static [&'static str]);

/// Checks that the output after each change has this line, and that no other line reports a failure.
fn check(table: &[Row]) {
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
fn a_check_that_the_arguments_do_not_need_is_not_made() {
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
fn a_secret_of_one_letter_masks_no_word() {
    let tool = Tool::without_account("doctor").env("LARK_APP_ID", "cli_a");
    let output = tool.env("LARK_APP_SECRET", "x").env("HTTPS_PROXY", "ftp://u:pass@h").run();
    let line = "✗ network     HTTPS_PROXY: `ftp://***@h` is not a proxy: ";
    assert!(output.stdout.lines().nth(1).unwrap().starts_with(line), "{output:?}");
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
        assert!(output.stderr.ends_with("\nTry `doctor --help`.\n"), "{args:?}: {}", output.stderr);
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
