//! Writes images into the cells of a spreadsheet and uploads them for messages, all at the same time, on tokio.
//!
//! `cargo run -p lark-hyper --example async_images -- [PATH ..]` uses a fake Lark on loopback, and reads the images
//! back from it. If `LARK_APP_ID` is set, it uses the real service, with `LARK_APP_SECRET`, `LARK_SITE`,
//! `LARK_SPREADSHEET` and `LARK_CELL` as the example `images` of `lark-ureq`.

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use lark_hyper::{CallError, Client, FakeServer, Pool};
use lark_proto::fake::{FakeLark, Route};
use lark_proto::place::{Located, Place};
use lark_proto::{App, CreateImage, Image, ImageKey, SheetCell, Site, WriteSheetImage};
use tokio::task::JoinSet;

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

#[tokio::main]
async fn main() -> ExitCode {
    let Err(error) = run().await else { return ExitCode::SUCCESS };
    eprintln!("async_images: {error}");
    ExitCode::FAILURE
}

async fn run() -> Result<()> {
    let is_real = std::env::var_os("LARK_APP_ID").is_some();
    let server = if is_real { None } else { Some(FakeServer::start()?) };
    let [site, id, secret, link, cell] = settings(server.as_ref())?;
    // The site may be a deployment of the user's own.
    let site = site.parse().or_else(|_| Site::custom(&site))?;
    let (place, images) = (Place::new(&link, &cell)?, images()?);
    println!("     site  {site}");

    let client = Client::new(site, App::custom(&id, &secret)?);
    let jobs = jobs(&client.resolve(&place).await?, images)?;
    let tasks: JoinSet<_> = jobs.into_iter().map(|job| job.run(client.clone())).collect();
    // If a job fails, the others are carried out all the same.
    let done: Vec<_> = tasks.join_all().await.into_iter().collect::<Result<_, _>>()?;
    server.map_or(Ok(()), |server| server.with(|lark| read_back(lark, &done)))
}

/// The site, the app id, the app secret, the link and the first cell, of the fake or from the environment.
fn settings(fake: Option<&FakeServer>) -> Result<[String; 5]> {
    if let Some(server) = fake {
        let site = server.site().to_string();
        let [id, secret] = [FakeLark::APP_ID, FakeLark::APP_SECRET].map(str::to_owned);
        return Ok([site, id, secret, FakeLark::SPREADSHEET.into(), "Sheet1!H7".into()]);
    }
    #[expect(clippy::disallowed_methods, reason = "the environment is this program's input")]
    let var =
        |name: &str| std::env::var(name).map_err(|_| format!("{name} is not set, or not in UTF-8"));
    let or = |name: &str, default: &str| {
        std::env::var_os(name).map_or(Ok(default.into()), |_| var(name))
    };
    let [id, secret, link] =
        [var("LARK_APP_ID")?, var("LARK_APP_SECRET")?, var("LARK_SPREADSHEET")?];
    Ok([or("LARK_SITE", "lark")?, id, secret, link, or("LARK_CELL", "")?])
}

/// An image, with its cell write and its upload.
struct Job {
    name: String,
    image: Image,
    cell: SheetCell,
    write: WriteSheetImage,
    create: CreateImage,
}

/// Makes the requests. All images are checked before the first one is sent. Each further image goes into the next row.
fn jobs(first: &Located, images: Vec<(String, Image)>) -> Result<Vec<Job>> {
    let mut jobs = Vec::new();
    for (rows, (name, image)) in (0..).zip(images) {
        let cell = first.cell.below(rows)?;
        let write = WriteSheetImage::new(first.spreadsheet.clone(), cell.clone(), image.clone())?;
        let create = CreateImage::message(image.clone())?;
        jobs.push(Job { write: write.with_name(&name)?, name, image, cell, create });
    }
    Ok(jobs)
}

/// The images in the arguments, with their names. Without arguments, it is the sample three times.
fn images() -> Result<Vec<(String, Image)>> {
    if std::env::args_os().len() > 1 {
        return std::env::args_os().skip(1).map(|path| image(path.as_ref())).collect();
    }
    let sample = &include_bytes!("sample.png")[..];
    // A byte after the end of a PNG is not shown. Here it makes the images differ.
    let copy = |n: u8| Ok((format!("sample{n}.png"), Image::new([sample, &[n]].concat())?));
    (1..=3).map(copy).collect()
}

fn image(path: &Path) -> Result<(String, Image)> {
    let about = |error: &dyn Error| format!("{}: {error}", path.display());
    let bytes = std::fs::read(path).map_err(|error| about(&error))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok((name, Image::new(bytes).map_err(|error| about(&error))?))
}

impl Job {
    /// Writes and uploads the image at the same time. The client sends the writes to one spreadsheet one after the
    /// other.
    async fn run(self, client: Client<Pool>) -> Result<(Self, ImageKey), CallError> {
        let write = async {
            let revision = client.call(&self.write).await?.revision.unwrap_or_default();
            println!("     cell  {} -> {}, revision {revision}", self.name, self.cell);
            Ok(())
        };
        let upload = async {
            let key = client.call(&self.create).await?;
            println!("   upload  {} -> image key {key}", self.name);
            Ok(key)
        };
        let (written, key) = tokio::join!(write, upload);
        written.and(key).map(|key| (self, key))
    }
}

fn read_back(lark: &FakeLark, done: &[(Job, ImageKey)]) -> Result<()> {
    for (job, key) in done {
        let image = lark.image(key.as_str()).map(|stored| &stored.bytes);
        let cell = lark.cell(FakeLark::SPREADSHEET, job.cell.as_str()).map(|c| &c.bytes);
        if [image, cell] != [Some(job.image.bytes()); 2] {
            return Err(format!("the fake holds other bytes than those of {}", job.name).into());
        }
    }
    // The fake refuses a write that arrives during another one. Then there would be more requests than images.
    let number = done.len();
    let sent = lark.count(Route::ValuesImage);
    println!("   writes  {number} in {sent} requests: none met another");
    println!("read back  {number} images and {number} cells, byte for byte what was sent");
    Ok(())
}
