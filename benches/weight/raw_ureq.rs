//! The uploader on ureq alone.

mod form;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (site, file) = args.next().zip(args.next()).ok_or("uploader SITE FILE")?;
    let post = ureq::post(site.clone() + form::TOKEN).content_type("application/json");
    let token =
        form::value(&post.send(form::APP)?.body_mut().read_to_string()?, "tenant_access_token")?;

    let put = ureq::post(site + form::PUT).header("Authorization", format!("Bearer {token}"));
    let mut reply = put.content_type(form::FORM).send(form::form(&std::fs::read(file)?))?;
    println!("{}", form::value(&reply.body_mut().read_to_string()?, "image_key")?);
    Ok(())
}
