//! Whole calls over loopback, compared with raw clients that post the same prepared bytes. The server runs in a process
//! of its own, and the clients take turns.

mod clients;

use std::path::PathBuf;

use clients::{hyper, lark_hyper, lark_ureq, ureq};
use lark_benches::interleaved::{Comparison, Contender, Costs, Options, Threshold};
use lark_benches::server::{Server, serve_if_asked};
use lark_benches::{MAIN_IMAGE_LEN, image, random_bytes, token, write_to};
use lark_proto::token::Authorizes;
use lark_proto::{Endpoint, EndpointExt, Image, PutImage, Site, TenantToken};
use tokio::runtime::{Builder, Runtime};

const SPREADSHEET: &str = "shtcnabc";

/// The kind of time that is compared.
type Which = fn(&Costs) -> &[f64];
const WALL: Which = |costs| &costs.wall;
const CPU: Which = |costs| &costs.cpu;

/// Our clients, each with the client that it is compared with.
const PAIRS: [(&str, &str); 2] =
    [("lark-ureq", "ureq with timeouts"), ("lark-hyper", "hyper with a timeout")];

fn main() {
    serve_if_asked();
    let options = Options::from_args();
    if !options.wants("end to end") {
        return;
    }
    let server = Server::start().expect("a process and a port");
    let site = Site::custom(&format!("http://{}", server.address)).expect("a loopback site");
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let world = World { site, runtime };

    let tiny = image(1024);
    let image = image(MAIN_IMAGE_LEN);
    let small = options.measure_anew(20, 16, 100, || world.uploads(&tiny));
    options.print_costs("upload of 1 KiB", &small);
    let large = options.measure_anew(10, 10, 2, || world.uploads(&image));
    options.print_costs("upload of 10 MB", &large);
    let file = File::new();
    let write = options.measure_anew(10, 6, 1, || world.writes(&file));
    options.print_costs("cell write of 10 MB", &write);

    options.print_comparisons(
        &[
            comparisons(
                "uploads of 1 KiB a second",
                &small,
                WALL,
                [0.95, 0.92].map(Threshold::AtLeast),
            ),
            comparisons("upload of 10 MB, time", &large, WALL, [Threshold::None; 2]),
            comparisons("upload of 10 MB, processor", &large, CPU, [Threshold::AtMost(1.05); 2]),
            comparisons("cell write of 10 MB, time", &write, WALL, [Threshold::AtMost(1.1); 2]),
            comparisons("cell write of 10 MB, processor", &write, CPU, [Threshold::None; 2]),
        ]
        .concat(),
    );
}

/// A comparison for each of [`PAIRS`].
fn comparisons(
    what: &str,
    costs: &[Costs],
    which: Which,
    thresholds: [Threshold; 2],
) -> Vec<Comparison> {
    let find = |name: &str| costs.iter().find(|costs| costs.name == name);
    let pairs = PAIRS.iter().zip(thresholds).filter_map(|((ours, theirs), threshold)| {
        let what = format!("{what}: {ours} beside {theirs}");
        let ours = which(find(ours)?).into();
        let theirs = which(find(theirs)?).into();
        Some(Comparison { what, ours, theirs, threshold })
    });
    pairs.collect()
}

struct World {
    site: Site,
    runtime: Runtime,
}

impl World {
    /// Uploads. Our clients make the form, and search the image for its boundary.
    fn uploads<'a>(&'a self, image: &'a Image) -> Vec<Contender<'a>> {
        self.contenders(|| PutImage::message(image.clone()).expect("not too large"))
    }

    /// Cell writes. Our clients read the file and encode it.
    fn writes<'a>(&'a self, file: &'a File) -> Vec<Contender<'a>> {
        self.contenders(|| write_to(SPREADSHEET, &file.image()))
    }

    /// Our clients, which call `make` for each call, and the raw clients, which have the request in memory.
    fn contenders<'a, E: Endpoint>(&'a self, make: impl Fn() -> E + Copy + 'a) -> Vec<Contender<'a>>
    where
        TenantToken: Authorizes<E::Auth>,
    {
        let bytes = make().request(&self.site, &token());
        let blocking = lark_ureq(&self.site);
        let client = lark_hyper(&self.site);
        vec![
            Contender::once("lark-ureq", move || drop(blocking.call(&make()).expect("a result"))),
            self.tasks("lark-hyper", async move || {
                client.call(&make()).await.expect("a result");
            }),
            Contender::once("ureq", ureq(&bytes, false)),
            Contender::once("ureq with timeouts", ureq(&bytes, true)),
            self.tasks("hyper", hyper(&bytes, false)),
            self.tasks("hyper with a timeout", hyper(&bytes, true)),
            #[cfg(feature = "competitors")]
            self.tasks("reqwest", clients::reqwest(&bytes)),
        ]
    }

    /// A contender that runs its repetitions one after the other in the runtime.
    fn tasks<'a>(&'a self, name: &str, task: impl AsyncFn() + 'a) -> Contender<'a> {
        Contender::new(name, move |times| {
            self.runtime.block_on(async {
                for _ in 0..times {
                    task().await;
                }
            });
        })
    }
}

/// The file of an image, which is removed when this is dropped.
struct File(PathBuf);

impl File {
    fn new() -> Self {
        let name = format!("lark-benches-{}.gif", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, random_bytes(MAIN_IMAGE_LEN)).expect("room for a file");
        Self(path)
    }

    fn image(&self) -> Image {
        Image::new(std::fs::read(&self.0).expect("the file is there")).expect("a GIF")
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // The system cleans the temporary directory if this fails.
        let _ = std::fs::remove_file(&self.0);
    }
}
