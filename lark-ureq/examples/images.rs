//! Writes images into the cells of a spreadsheet, and uploads them for messages.
//!
//! Without `LARK_APP_ID` in the environment, it runs against a fake Lark on loopback and reads the images back from it.
//! With `LARK_APP_ID`, it does the same on the real service, and reads these variables:
//! * `LARK_APP_SECRET`.
//! * `LARK_SITE`: `lark`, which is the default, `feishu` or a URL.
//! * `LARK_SPREADSHEET`: a link from the address bar, also that of a page of a wiki, or a token.
//! * `LARK_CELL`: `Price list!H7`, with the title or the id of the sheet, or `H7` for the sheet of the link, else the
//!   first one. It is not needed if the link names a cell.
//!
//! Images are given as paths; the first one goes into the cell, each further one into the row below.

use std::env::VarError;
use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use lark_proto::bytes::Bytes;
use lark_proto::endpoints::GetTenantToken;
use lark_proto::fake::FakeLark;
use lark_proto::place::Place;
use lark_proto::token::NoToken;
use lark_proto::values::{AppId, AppSecret};
use lark_proto::{App, CreateImage, Image, Site, WriteSheetImage};
use lark_ureq::{Client, FakeServer};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("images: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let Settings { site, app_id, app_secret, place, fake } = Settings::from_env()?;
    let images = images()?;
    let client = Client::new(site.clone(), App::custom(&app_id, &app_secret)?);
    match &fake {
        Some(_) => say("site", &format!("a fake Lark on {site} (LARK_APP_ID is not set)"))?,
        None => say("site", site.as_str())?,
    }

    // This call only shows the token. The client fetches one by itself, and the service grants the same token again.
    let get = GetTenantToken::new(AppId::new(&app_id)?, AppSecret::new(&app_secret)?);
    let (grant, time) = timed(|| client.call_as(&NoToken, &get))?;
    let minutes = grant.expires_in.as_secs() / 60;
    say("token", &format!("for {app_id}, good for {minutes} minutes{time}"))?;

    let found = client.resolve(&place)?;
    for (rows, (name, image)) in (0..).zip(&images) {
        let cell = found.cell.below(rows)?;
        let write = WriteSheetImage::new(found.spreadsheet.clone(), cell.clone(), image.clone())?
            .with_lossy_name(name);
        let (written, time) = timed(|| client.call(&write))?;
        let revision = written.revision.map_or("unknown".into(), |number| number.to_string());
        say("cell", &format!("{name} -> {cell}, revision {revision}{time}"))?;
        if let Some(server) = &fake {
            let stored = server.with(|lark| {
                let cell = lark.cell(found.spreadsheet.as_str(), cell.as_str())?;
                Some(cell.bytes.clone())
            });
            read_back(stored.as_ref(), image)?;
        }
    }

    // `SendImage` takes the image key of an upload.
    for (name, image) in &images {
        let create = CreateImage::message(image.clone())?;
        let (key, time) = timed(|| client.call(&create))?;
        say("upload", &format!("{name} -> image key {key}{time}"))?;
        if let Some(server) = &fake {
            let stored = server.with(|lark| Some(lark.image(key.as_str())?.bytes.clone()));
            read_back(stored.as_ref(), image)?;
        }
    }
    Ok(())
}

/// The images in the arguments, with their names. Without arguments, it is the sample.
fn images() -> Result<Vec<(String, Image)>> {
    if std::env::args_os().len() > 1 {
        return std::env::args_os().skip(1).map(|path| image(path.as_ref())).collect();
    }
    Ok(vec![("sample.png".into(), Image::new(&include_bytes!("sample.png")[..])?)])
}

fn image(path: &Path) -> Result<(String, Image)> {
    let about = |error: &dyn Error| format!("{}: {error}", path.display());
    let bytes = std::fs::read(path).map_err(|error| about(&error))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok((name, Image::new(bytes).map_err(|error| about(&error))?))
}

fn read_back(stored: Option<&Bytes>, image: &Image) -> Result<()> {
    if stored != Some(image.bytes()) {
        return Err("the fake holds other bytes than were sent".into());
    }
    say("read back", "from the fake, byte for byte what was sent")
}

/// The service, the app, and the cell for the first image.
struct Settings {
    site: Site,
    app_id: String,
    app_secret: String,
    place: Place,
    /// Running, unless the service is the real one.
    fake: Option<FakeServer>,
}

impl Settings {
    fn from_env() -> Result<Self> {
        if std::env::var_os("LARK_APP_ID").is_none() {
            let server = FakeServer::start()?;
            return Ok(Self {
                site: server.site().clone(),
                app_id: FakeLark::APP_ID.into(),
                app_secret: FakeLark::APP_SECRET.into(),
                place: Place::new(FakeLark::SPREADSHEET, "Sheet1!H7")?,
                fake: Some(server),
            });
        }
        let site = var("LARK_SITE", Some("lark"))?;
        let (link, cell) = (var("LARK_SPREADSHEET", None)?, var("LARK_CELL", Some(""))?);
        Ok(Self {
            // The user has chosen the site, so any host is accepted, such as a private deployment.
            site: site
                .parse()
                .or_else(|_| Site::custom(&site))
                .map_err(|error| format!("LARK_SITE: {error}"))?,
            app_id: var("LARK_APP_ID", None)?,
            app_secret: var("LARK_APP_SECRET", None)?,
            place: Place::new(&link, &cell)
                .map_err(|error| format!("LARK_SPREADSHEET or LARK_CELL: {error}"))?,
            fake: None,
        })
    }
}

#[expect(clippy::disallowed_methods, reason = "the environment is this program's input")]
fn var(name: &str, default: Option<&str>) -> Result<String> {
    match (std::env::var(name), default) {
        (Err(VarError::NotPresent), Some(default)) => Ok(default.into()),
        (Err(VarError::NotPresent), None) => Err(format!("{name} is not set").into()),
        // The text of the error quotes the value, which may be a secret.
        (Err(VarError::NotUnicode(_)), _) => Err(format!("{name} is not in UTF-8").into()),
        (Ok(value), _) => Ok(value),
    }
}

fn timed<T, E: Error + 'static>(
    work: impl FnOnce() -> std::result::Result<T, E>,
) -> Result<(T, String)> {
    #[expect(clippy::disallowed_methods, reason = "to show how long it took")]
    let start = Instant::now();
    Ok((work()?, format!(" ({:.1} ms)", start.elapsed().as_secs_f64() * 1000.0)))
}

fn say(step: &str, what: &str) -> Result<()> {
    Ok(writeln!(std::io::stdout(), "{step:>9}  {what}")?)
}
