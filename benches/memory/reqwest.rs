//! The cell write on reqwest alone, with its `json`.

mod cell;
#[path = "../weight/form.rs"]
#[expect(dead_code, reason = "the write needs the token alone")]
mod form;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (site, file) = args.next().zip(args.next()).ok_or("writer SITE FILE")?;
    let client = reqwest::Client::new();
    let post = client.post(site.clone() + form::TOKEN).header("Content-Type", "application/json");
    let reply = post.body(form::APP).send().await?.text().await?;
    let token = form::value(&reply, "tenant_access_token")?;

    let image = std::fs::read(file)?;
    let write = client.post(site + cell::PATH).bearer_auth(token).json(&cell::Write::new(&image));
    println!("{}", form::value(&write.send().await?.text().await?, "spreadsheetToken")?);
    Ok(())
}
