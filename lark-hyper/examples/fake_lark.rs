//! A fake Lark on loopback, for trying a client in any language against it.
//!
//! `cargo run -p lark-hyper --example fake_lark -- --port 0`

use std::process::ExitCode;

use lark_hyper::FakeServer;
use lark_proto::fake::FakeLark;

fn main() -> ExitCode {
    match serve(&std::env::args().skip(1).collect::<Vec<_>>()) {
        Ok(server) => {
            println!("listening on {}", server.site());
            println!("app_id {}", FakeLark::APP_ID);
            println!("app_secret {}", FakeLark::APP_SECRET);
            println!("spreadsheet_token {}", FakeLark::SPREADSHEET);
            println!("sheet_id {}", FakeLark::SHEET);
            loop {
                std::thread::park();
            }
        }
        Err(error) => {
            eprintln!("fake_lark: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(args: &[String]) -> Result<FakeServer, Box<dyn std::error::Error>> {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let port = match args[..] {
        [] => 0,
        ["--port", port] => port.parse().map_err(|_| format!("`{port}` is no port"))?,
        _ => return Err("usage: fake_lark [--port PORT], where 0 is a free port".into()),
    };
    FakeServer::start_on(port, FakeLark::new())
        .map_err(|error| format!("port {port}: {error}").into())
}
