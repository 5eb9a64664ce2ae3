//! The parts of the raw uploaders: a form that is not checked, and a search for a value in the reply.

pub const APP: &str = r#"{"app_id":"cli_a1b2","app_secret":"secret"}"#;
pub const FORM: &str = "multipart/form-data; boundary=b0und";
pub const PUT: &str = "/open-apis/image/v4/put/";
pub const TOKEN: &str = "/open-apis/auth/v3/tenant_access_token/internal";

pub fn form(image: &[u8]) -> Vec<u8> {
    let part = "--b0und\r\nContent-Disposition: form-data; name=";
    let kind = format!("{part}\"image_type\"\r\n\r\nmessage\r\n");
    let head = format!("{part}\"image\"; filename=\"image\"\r\n\r\n");
    [kind.as_bytes(), head.as_bytes(), image, b"\r\n--b0und--\r\n"].concat()
}

pub fn value(reply: &str, name: &str) -> Result<String, &'static str> {
    let found = reply.split_once(&format!("\"{name}\":\"")).ok_or("refused")?;
    Ok(found.1.split('"').next().unwrap_or_default().to_owned())
}
