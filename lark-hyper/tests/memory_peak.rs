//! The peak of a program's memory, from its start, while it reads an image from a file and sends it by either client:
//! at most the image and 1 MiB. Each job is a process of its own, so that the server's memory is not counted.

use std::alloc::System;
use std::path::Path;
use std::process::Command;
use std::{env, fs};

use cap::Cap;
use lark_hyper::FakeServer;
use lark_proto::body::ImageEncoding;
use lark_proto::fake::FakeLark;
use lark_proto::token::Authorizes;
use lark_proto::{App, Endpoint, EndpointExt, Image, PutImage, Site, TenantToken, WriteSheetImage};
use tokio::runtime::Builder;

#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

const IMAGE: usize = 10_000_000;
/// The highest peak that a job may have, in bytes.
const BAR: usize = IMAGE + (1 << 20);

/// The variable with a job's client, its request, the server's site and the image's file.
const JOB: &str = "LARK_PEAK_JOB";

#[test]
#[expect(clippy::disallowed_methods, reason = "the parent names the job")]
fn a_program_holds_at_most_the_image_and_one_mebibyte() {
    if let Ok(job) = env::var(JOB) {
        return run(&job);
    }
    let server = FakeServer::start().unwrap();
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("lark-peak.png");
    // Zeros are the shortest numbers, which leave most of the memory of a piece unused.
    let mut image = b"\x89PNG\r\n\x1a\n".to_vec();
    image.resize(IMAGE, 0);
    fs::write(&file, image).unwrap();
    let peak = |job: &str| {
        let output = Command::new(env::current_exe().unwrap())
            .args(["--exact", "a_program_holds_at_most_the_image_and_one_mebibyte", "--nocapture"])
            .env(JOB, format!("{job} {} {}", server.site(), file.display()))
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        let peak: usize = told.trim().parse().unwrap_or_else(|_| panic!("{job}: {told}"));
        println!("{job}: {peak} bytes");
        peak
    };
    for client in ["lark-ureq", "lark-hyper"] {
        for job in ["numbers", "base64", "upload"] {
            let job = format!("{client} {job}");
            assert!((IMAGE..=BAR).contains(&peak(&job)), "{job}");
        }
    }
    assert!(
        peak("no flat") > IMAGE * 3,
        "the measurement counts the memory of a request in one piece"
    );
    fs::remove_file(file).unwrap();
}

/// Does a job as a program would, and prints the peak.
fn run(job: &str) {
    let [client, job, site, file] = job.splitn(4, ' ').collect::<Vec<_>>()[..] else {
        panic!("{job}")
    };
    let site = Site::custom(site).unwrap();
    let image = Image::new(fs::read(file).unwrap()).unwrap();
    let cell = format!("{}!A1", FakeLark::SHEET).parse().unwrap();
    let spreadsheet = FakeLark::SPREADSHEET.parse().unwrap();
    let write = WriteSheetImage::new(spreadsheet, cell, image.clone()).unwrap();
    match job {
        "numbers" => call(client, site, &write),
        "base64" => call(client, site, &write.with_encoding(ImageEncoding::Base64)),
        "upload" => call(client, site, &PutImage::message(image).unwrap()),
        _ => drop(write.request(&site, &TenantToken::new("t-1").unwrap())),
    }
    eprintln!("{}", HEAP.max_allocated());
}

fn call<E: Endpoint>(client: &str, site: Site, endpoint: &E)
where
    TenantToken: Authorizes<E::Auth>,
{
    let app = App::custom(FakeLark::APP_ID, FakeLark::APP_SECRET).unwrap();
    if client == "lark-ureq" {
        drop(lark_ureq::Client::new(site, app).call(endpoint).unwrap());
    } else {
        let client = lark_hyper::Client::new(site, app);
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        drop(runtime.block_on(client.call(endpoint)).unwrap());
    }
}
