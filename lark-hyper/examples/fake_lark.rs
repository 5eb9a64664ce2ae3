//! Serves a fake Lark on loopback, to try a client in any language against it.
//!
//! `cargo run -p lark-hyper --example fake_lark -- --port 0` chooses a free port and prints it.

use std::convert::Infallible;
use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

use lark_hyper::FakeServer;
use lark_proto::fake::FakeLark;

fn main() -> ExitCode {
    match serve() {
        Ok(never) => match never {},
        Err(error) => {
            eprintln!("fake_lark: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> Result<Infallible, Box<dyn Error>> {
    let args = std::env::args_os().skip(1).map(|arg| arg.to_string_lossy().into_owned());
    let args: Vec<String> = args.collect();
    let port = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => 0,
        ["--port", port] => port.parse().map_err(|_| format!("`{port}` is not a port"))?,
        _ => return Err("usage: fake_lark [--port PORT], where 0 is a free port".into()),
    };
    let server = FakeServer::start_on(port, FakeLark::new())
        .map_err(|error| format!("port {port}: {error}"))?;
    let mut out = std::io::stdout();
    writeln!(out, "listening on {}", server.site())?;
    writeln!(out, "app_id {}", FakeLark::APP_ID)?;
    writeln!(out, "app_secret {}", FakeLark::APP_SECRET)?;
    writeln!(out, "spreadsheet_token {}", FakeLark::SPREADSHEET)?;
    writeln!(out, "sheet_id {}", FakeLark::SHEET)?;
    writeln!(out, "chat_id {}", FakeLark::CHAT)?;
    writeln!(out, "wiki_node {}", FakeLark::WIKI_NODE)?;
    loop {
        std::thread::park();
    }
}
