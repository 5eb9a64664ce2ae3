//! Uploads images for messages, and writes them into the cells of a spreadsheet.
//!
//! Without the variables below, it runs against a fake Lark on loopback and reads the images back from it. With
//! `LARK_APP_ID`, `LARK_APP_SECRET`, `LARK_SPREADSHEET` (token or link) and `LARK_CELL` (such as `Q7PlXT!H7`, or `H7`
//! if the link names the sheet; not needed if the link names the cell) it does the same on the real service.
//! `LARK_SITE` is `lark`, which is the default, `feishu` or a URL. Images are given as paths; the first one goes into
//! the cell, each further one into the row below.

use std::error::Error;
use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use lark_proto::endpoints::GetTenantToken;
use lark_proto::fake::FakeLark;
use lark_proto::token::NoToken;
use lark_proto::values::{AppId, AppSecret, ImageFormat, SpreadsheetToken};
use lark_proto::{
    App, Image, Invalid, PutImage, SheetCell, Site, SpreadsheetLink, WriteSheetImage,
};
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
    let place = Place::from_env()?;
    let jobs = jobs(std::env::args_os().skip(1), &place)?;
    let client = Client::new(place.site.clone(), App::custom(&place.app_id, &place.app_secret)?);
    match &place.fake {
        Some(_) => say("site", &format!("a fake Lark on {} (no LARK_.. is set)", place.site))?,
        None => say("site", place.site.as_str())?,
    }

    // This call only shows the token. The client fetches one by itself, and the service grants the same token again.
    let get = GetTenantToken::new(AppId::new(&place.app_id)?, AppSecret::new(&place.app_secret)?);
    let (grant, time) = timed(|| client.call_as(&NoToken, &get))?;
    let minutes = grant.expires_in.as_secs() / 60;
    say("token", &format!("for {}, good for {minutes} minutes{time}", place.app_id))?;

    for Job { what, image, cell, put, write } in jobs {
        let (key, time) = timed(|| client.call(&put))?;
        say("upload", &format!("{what} -> image key {key}{time}"))?;

        let (written, time) = timed(|| client.call(&write))?;
        let revision = written.revision.map_or("unknown".into(), |number| number.to_string());
        say("cell", &format!("{what} -> {cell}, revision {revision}{time}"))?;

        if let Some(server) = &place.fake {
            let is_there = server.with(|lark| {
                let uploaded = lark.image(key.as_str()).map(|stored| &stored.bytes);
                let in_cell = lark.cell(place.spreadsheet.as_str(), cell.as_str());
                [uploaded, in_cell.map(|cell| &cell.bytes)] == [Some(image.bytes()); 2]
            });
            if !is_there {
                return Err("the fake holds other bytes than were sent".into());
            }
            say("read back", "both from the fake, byte for byte what was sent")?;
        }
    }
    Ok(())
}

/// The upload and the cell write of one image. All jobs are checked before the first request is sent.
struct Job {
    what: String,
    image: Image,
    cell: SheetCell,
    put: PutImage,
    write: WriteSheetImage,
}

fn jobs(paths: impl Iterator<Item = OsString>, place: &Place) -> Result<Vec<Job>> {
    let mut images = Vec::new();
    for path in paths.map(PathBuf::from) {
        let about = |error: &dyn Error| format!("{}: {error}", path.display());
        let bytes = std::fs::read(&path).map_err(|error| about(&error))?;
        let image = Image::new(bytes).map_err(|error| about(&error))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        images.push((name, image));
    }
    if images.is_empty() {
        images.push(("sample.png".into(), Image::new(&include_bytes!("sample.png")[..])?));
    }
    let job = |((name, image), rows): ((String, Image), u32)| {
        let cell = place.cell.below(rows)?;
        let write = WriteSheetImage::new(place.spreadsheet.clone(), cell.clone(), image.clone())?;
        let format = image.format().map_or("unknown format", ImageFormat::media_type);
        Ok(Job {
            what: format!("{name} ({format}, {} bytes)", image.bytes().len()),
            put: PutImage::message(image.clone())?,
            write: write.with_name(&name)?,
            image,
            cell,
        })
    };
    images.into_iter().zip(0..).map(job).collect()
}

/// Where the images go.
struct Place {
    site: Site,
    app_id: String,
    app_secret: String,
    spreadsheet: SpreadsheetToken,
    cell: SheetCell,
    /// Running, unless the service is the real one.
    fake: Option<FakeServer>,
}

impl Place {
    fn from_env() -> Result<Self> {
        let names =
            ["LARK_APP_ID", "LARK_APP_SECRET", "LARK_SPREADSHEET", "LARK_CELL", "LARK_SITE"];
        if names.iter().all(|name| std::env::var_os(name).is_none()) {
            let server = FakeServer::start()?;
            return Ok(Self {
                site: server.site().clone(),
                app_id: FakeLark::APP_ID.into(),
                app_secret: FakeLark::APP_SECRET.into(),
                spreadsheet: FakeLark::SPREADSHEET.parse()?,
                cell: SheetCell::in_sheet(FakeLark::SHEET.parse()?, "H7")?,
                fake: Some(server),
            });
        }
        let link = SpreadsheetLink::new(&var("LARK_SPREADSHEET")?);
        let link = parsed("LARK_SPREADSHEET", link)?;
        let cell = match (link.cell(), link.sheet()) {
            (Some(cell), _) if std::env::var_os("LARK_CELL").is_none() => Ok(cell.clone()),
            (_, sheet) => {
                let cell = var("LARK_CELL")?;
                match sheet {
                    Some(sheet) if !cell.contains(['!', '！']) => {
                        SheetCell::in_sheet(sheet.clone(), &cell)
                    }
                    _ => SheetCell::new(&cell),
                }
            }
        };
        Ok(Self {
            app_id: var("LARK_APP_ID")?,
            app_secret: var("LARK_APP_SECRET")?,
            spreadsheet: link.token().clone(),
            cell: parsed("LARK_CELL", cell)?,
            site: match std::env::var_os("LARK_SITE") {
                None => Site::LARK,
                // The user has chosen the site, so any host is accepted, such as a private deployment.
                Some(_) => {
                    let site = var("LARK_SITE")?;
                    parsed("LARK_SITE", site.parse().or_else(|_| Site::custom(&site)))?
                }
            },
            fake: None,
        })
    }
}

fn parsed<T>(name: &str, value: std::result::Result<T, Invalid>) -> Result<T> {
    value.map_err(|error| format!("{name}: {error}").into())
}

#[expect(clippy::disallowed_methods, reason = "the environment is this program's input")]
fn var(name: &str) -> Result<String> {
    std::env::var(name).map_err(|error| format!("{name}: {error}").into())
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
