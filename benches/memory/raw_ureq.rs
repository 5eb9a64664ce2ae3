//! The cell write on ureq alone, with serde_json.

mod cell;
#[path = "../weight/form.rs"]
#[expect(dead_code, reason = "the write needs the token alone")]
mod form;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (site, file) = args.next().zip(args.next()).ok_or("writer SITE FILE")?;
    let post = ureq::post(site.clone() + form::TOKEN).content_type("application/json");
    let token =
        form::value(&post.send(form::APP)?.body_mut().read_to_string()?, "tenant_access_token")?;

    let body = serde_json::to_vec(&cell::Write::new(&std::fs::read(file)?))?;
    let write = ureq::post(site + cell::PATH).header("Authorization", format!("Bearer {token}"));
    let mut reply = write.content_type("application/json").send(body)?;
    println!("{}", form::value(&reply.body_mut().read_to_string()?, "spreadsheetToken")?);
    Ok(())
}
