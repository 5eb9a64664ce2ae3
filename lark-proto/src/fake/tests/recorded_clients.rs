//! Requests that other clients were recorded to send.

use super::*;

#[test]
fn recorded_requests_are_accepted_unless_an_image_part_has_no_content_type() {
    let noise = [
        197, 236, 196, 4, 75, 13, 180, 149, 166, 3, 11, 214, 145, 107, 181, 233, 128, 41, 170, 45,
        37, 60, 56, 175, 53, 67, 175, 60, 92, 28, 128, 48,
    ];
    // The recorded image is random bytes. Here it gets the signature of a JPEG, which uploads need.
    let image = [b"\xff\xd8\xff", &noise[3..]].concat();
    for (name, mut bytes) in files("captures") {
        let mut fake = fake();
        fake.add_spreadsheet("shtcnX", &["Q7PlXT"]);
        let raw = bytes.windows(noise.len()).position(|window| window == noise);
        if let Some(at) = raw {
            bytes[at..at + noise.len()].copy_from_slice(&image);
        }
        let response = fake.handle(now(), http1::request(&bytes).unwrap());
        // lark-channel sends the image to the newer endpoint without a Content-Type of its own.
        let is_refused = name.contains("lark-channel-upload");
        let expected = if is_refused { (400, Some(99992402)) } else { (200, Some(0)) };
        assert_eq!(verdict(&response), expected, "{name}: {:?}", response.body());
        let stored: Vec<_> = fake.images().map(|(_, image)| &image.bytes[..]).collect();
        let written: Vec<_> = fake.cells("shtcnX").map(|(_, cell)| &cell.bytes[..]).collect();
        let expected: &[&[u8]] = match raw {
            _ if is_refused => &[],
            Some(_) => &[&image],
            None => &[&noise],
        };
        assert_eq!([stored, written].concat(), expected, "{name}");
    }
}
