//! Writes the exact bytes of a request to standard output, for a socket, a diff or a bug report. It can write a curl
//! command instead.

use std::io::Write;
use std::process::ExitCode;

use lark_proto::body::{Body, ImageEncoding};
use lark_proto::endpoints::GetTenantToken;
use lark_proto::token::NoToken;
use lark_proto::values::{AppId, AppSecret};
use lark_proto::wire::{self, HeaderSecrets};
use lark_proto::{EndpointExt, Image, PutImage, Site, TenantToken, WriteSheetImage};

const USAGE: &str = "\
usage: exact_bytes put-image [--avatar] FILE
       exact_bytes write-sheet-image --spreadsheet TOKEN --cell 'Q7PlXT!H7' [--name NAME] [--base64] FILE
       exact_bytes tenant-token --app-id ID --app-secret SECRET

  --site lark|feishu|URL  the host of the request; lark by default
  --token T               the tenant access token, which is written in plain text; without it the bytes have
                          no `Authorization`, and the curl command has `***` in its place
  --body                  write only the body
  --curl                  write a curl command that reads the body from standard input

To send a request with curl:
  exact_bytes put-image a.png --body | sh -c \"$(exact_bytes put-image a.png --curl --token T)\"
";

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    // A file name that is not Unicode is not found. The error shows it with replacement characters.
    let args = std::env::args_os().skip(1).map(|arg| arg.to_string_lossy().into_owned());
    match run(Args(args.collect())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("exact_bytes: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(mut args: Args) -> Result<()> {
    if args.flag("--help") || args.0.is_empty() {
        return Ok(std::io::stdout().write_all(USAGE.as_bytes())?);
    }
    let body_only = args.flag("--body");
    let curl = args.flag("--curl");
    let token = args.option("--token")?;
    let secrets = if token.is_some() { HeaderSecrets::Shown } else { HeaderSecrets::Hidden };
    // Any token is accepted if the output hides it.
    let token = TenantToken::new(token.as_deref().unwrap_or("hidden"))?;
    let site = match args.option("--site")? {
        None => Site::LARK,
        // This program sends nothing, so any host is accepted.
        Some(site) => site.parse().or_else(|_| Site::custom(&site))?,
    };
    let request = request(&mut args, &site, &token)?;
    let mut out = std::io::stdout().lock();
    if curl {
        out.write_all(wire::curl(&request, "-", secrets).as_bytes())?;
    } else {
        if !body_only {
            out.write_all(&wire::head(&request, secrets))?;
        }
        let mut body = request.into_body();
        while let Some(chunk) = body.next_chunk() {
            out.write_all(&chunk)?;
        }
    }
    Ok(out.flush()?)
}

fn request(args: &mut Args, site: &Site, token: &TenantToken) -> Result<http::Request<Body>> {
    match args.next("command")?.as_str() {
        "put-image" => {
            let avatar = args.flag("--avatar");
            let image = image(&args.last("FILE")?)?;
            let put = if avatar { PutImage::avatar(image) } else { PutImage::message(image) };
            Ok(put?.request_streamed(site, token))
        }
        "write-sheet-image" => {
            let spreadsheet = args.required("--spreadsheet")?.parse()?;
            let cell = args.required("--cell")?.parse()?;
            let name = args.option("--name")?;
            let base64 = args.flag("--base64");
            let mut write = WriteSheetImage::new(spreadsheet, cell, image(&args.last("FILE")?)?)?;
            if let Some(name) = name {
                write = write.with_name(&name)?;
            }
            if base64 {
                write = write.with_encoding(ImageEncoding::Base64);
            }
            Ok(write.request_streamed(site, token))
        }
        "tenant-token" => {
            let id = AppId::new(&args.required("--app-id")?)?;
            let secret = AppSecret::new(&args.required("--app-secret")?)?;
            args.end()?;
            Ok(GetTenantToken::new(id, secret).request_streamed(site, &NoToken))
        }
        other => Err(format!("there is no command `{other}`; see --help").into()),
    }
}

fn image(path: &str) -> Result<Image> {
    let bytes = std::fs::read(path).map_err(|error| format!("{path}: {error}"))?;
    Ok(Image::new(bytes).map_err(|error| format!("{path}: {error}"))?)
}

/// The arguments that no method has taken yet.
struct Args(Vec<String>);

impl Args {
    fn flag(&mut self, name: &str) -> bool {
        let at = self.0.iter().position(|arg| arg == name);
        at.map(|at| self.0.remove(at)).is_some()
    }

    fn option(&mut self, name: &str) -> Result<Option<String>> {
        let Some(at) = self.0.iter().position(|arg| arg == name) else { return Ok(None) };
        self.0.remove(at);
        if at == self.0.len() {
            return Err(format!("{name} needs a value").into());
        }
        Ok(Some(self.0.remove(at)))
    }

    fn required(&mut self, name: &str) -> Result<String> {
        self.option(name)?.ok_or_else(|| format!("{name} is missing; see --help").into())
    }

    fn next(&mut self, name: &str) -> Result<String> {
        match self.0.first() {
            Some(arg) if !arg.starts_with('-') => Ok(self.0.remove(0)),
            Some(arg) => Err(format!("there is no option `{arg}`; see --help").into()),
            None => Err(format!("{name} is missing; see --help").into()),
        }
    }

    fn last(&mut self, name: &str) -> Result<String> {
        let last = self.next(name)?;
        self.end()?;
        Ok(last)
    }

    fn end(&self) -> Result<()> {
        match self.0.first() {
            Some(arg) => Err(format!("the argument `{arg}` is not expected; see --help").into()),
            None => Ok(()),
        }
    }
}
