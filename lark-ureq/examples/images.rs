//! The whole job: images uploaded for messages, and written into a spreadsheet's cells.
//!
//! Without environment it plays against a fake Lark on loopback and reads the images back from it. With
//! `LARK_APP_ID`, `LARK_APP_SECRET`, `LARK_SPREADSHEET` (token or link) and `LARK_CELL` (such as `Q7PlXT!H7`) it
//! does the same on the real service; `LARK_SITE` is `lark` unless it says `feishu` or a URL.
//! Images are given as paths; the first one goes into the cell, each further one into the row below.

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use lark_hyper::FakeServer;
use lark_proto::fake::FakeLark;
use lark_proto::{
    App, AppId, AppSecret, Image, ImageFormat, NoToken, PutImage, SheetCell, Site,
    SpreadsheetToken, TenantTokenRequest, WriteSheetImage,
};
use lark_ureq::Client;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let causes = std::iter::successors(Some(&*error), |&error| error.source());
            let causes: Vec<String> = causes.map(ToString::to_string).collect();
            eprintln!("images: {}", causes.join(": "));
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let images = images(std::env::args().skip(1).collect())?;
    let place = Place::from_env()?;
    let client = Client::new(place.site.clone(), App::custom(&place.app_id, &place.app_secret)?);
    match &place.fake {
        Some(_) => say("site", &format!("a fake Lark on {} (LARK_APP_ID is not set)", place.site)),
        None => say("site", place.site.as_str()),
    }

    // The client gets a token by itself; asked for here to be seen, the service gives the same one.
    let get =
        TenantTokenRequest::new(AppId::new(&place.app_id)?, AppSecret::new(&place.app_secret)?);
    let (grant, time) = timed(|| client.call_as(&NoToken, &get))?;
    let minutes = grant.expires_in.as_secs() / 60;
    say("token", &format!("for {}, good for {minutes} minutes{time}", place.app_id));

    let mut cell = place.cell.clone();
    for (name, image) in &images {
        let format = image.format().map_or("unknown format", ImageFormat::media_type);
        let what = format!("{name} ({format}, {} bytes)", image.bytes().len());

        let put = PutImage::message(image.clone())?;
        let (key, time) = timed(|| client.call(&put))?;
        say("upload", &format!("{what} -> image key {key}{time}"));

        let write = WriteSheetImage::new(place.spreadsheet.clone(), cell.clone(), image.clone())?;
        let write = write.named(name)?;
        let (written, time) = timed(|| client.call(&write))?;
        let revision = written.revision.map_or("unknown".into(), |number| number.to_string());
        say("cell", &format!("{what} -> {cell}, revision {revision}{time}"));

        if let Some(server) = &place.fake {
            let lark = server.lark();
            let uploaded = lark.image(key.as_str()).map(|stored| &stored.bytes);
            let in_cell = lark.cell(place.spreadsheet.as_str(), &cell.to_string());
            if uploaded != Some(image.bytes()) || in_cell.map(|c| &c.bytes) != Some(image.bytes()) {
                return Err("the fake holds other bytes than were sent".into());
            }
            say("read back", "both from the fake, byte for byte what was sent");
        }
        cell = below(&cell)?;
    }
    Ok(())
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
        let Ok(app_id) = var("LARK_APP_ID") else {
            let server = FakeServer::start()?;
            return Ok(Self {
                site: server.site().clone(),
                app_id: FakeLark::APP_ID.into(),
                app_secret: FakeLark::APP_SECRET.into(),
                spreadsheet: FakeLark::SPREADSHEET.parse()?,
                cell: SheetCell::new(FakeLark::SHEET.parse()?, "H7")?,
                fake: Some(server),
            });
        };
        let site = match var("LARK_SITE").as_deref() {
            Err(_) | Ok("lark") => Site::LARK,
            Ok("feishu") => Site::FEISHU,
            Ok(url) => Site::custom(url).map_err(|error| format!("LARK_SITE: {error}"))?,
        };
        let spreadsheet = var("LARK_SPREADSHEET")?
            .parse()
            .map_err(|error| format!("LARK_SPREADSHEET: {error}"))?;
        let cell = var("LARK_CELL")?.parse().map_err(|error| format!("LARK_CELL: {error}"))?;
        Ok(Self {
            site,
            app_id,
            app_secret: var("LARK_APP_SECRET")?,
            spreadsheet,
            cell,
            fake: None,
        })
    }
}

#[expect(clippy::disallowed_methods, reason = "the environment is this program's input")]
fn var(name: &str) -> Result<String> {
    std::env::var(name).map_err(|error| format!("{name}: {error}").into())
}

/// The images at `paths` with their names; a sample if there is none.
fn images(paths: Vec<String>) -> Result<Vec<(String, Image)>> {
    if paths.is_empty() {
        let sample = Image::new(&include_bytes!("sample.png")[..])?;
        return Ok(vec![("sample.png".into(), sample)]);
    }
    let image = |path: String| {
        let bytes = std::fs::read(&path).map_err(|error| format!("{path}: {error}"))?;
        let image = Image::new(bytes).map_err(|error| format!("{path}: {error}"))?;
        let name = Path::new(&path).file_name().unwrap_or_default();
        Ok((name.to_string_lossy().into_owned(), image))
    };
    paths.into_iter().map(image).collect()
}

/// The cell in the next row.
fn below(cell: &SheetCell) -> Result<SheetCell> {
    let column = cell.cell().trim_end_matches(|c: char| c.is_ascii_digit());
    let row: u32 = cell.cell().trim_start_matches(column).parse()?;
    Ok(SheetCell::new(cell.sheet().clone(), &format!("{column}{}", row + 1))?)
}

fn timed<T, E: Error + 'static>(
    work: impl FnOnce() -> std::result::Result<T, E>,
) -> Result<(T, String)> {
    #[expect(clippy::disallowed_methods, reason = "to show how long it took")]
    let start = Instant::now();
    Ok((work()?, format!(" ({:.1} ms)", start.elapsed().as_secs_f64() * 1000.0)))
}

fn say(step: &str, what: &str) {
    println!("{step:>9}  {what}");
}
