//! The uploader on reqwest alone, with its forms.

#[path = "../weight/form.rs"]
#[expect(dead_code, reason = "reqwest makes the form")]
mod form;

use reqwest::multipart::{Form, Part};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (site, file) = args.next().zip(args.next()).ok_or("uploader SITE FILE")?;
    let client = reqwest::Client::new();
    let post = client.post(site.clone() + form::TOKEN).header("Content-Type", "application/json");
    let reply = post.body(form::APP).send().await?.text().await?;
    let token = form::value(&reply, "tenant_access_token")?;

    let image = Part::bytes(std::fs::read(file)?).file_name("image.gif");
    let put = Form::new().text("image_type", "message").part("image", image);
    let put = client.post(site + form::PUT).bearer_auth(token).multipart(put);
    println!("{}", form::value(&put.send().await?.text().await?, "image_key")?);
    Ok(())
}
