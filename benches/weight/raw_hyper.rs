//! The upload that the two uploaders on hyper alone share.

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response};

use crate::form;

pub type Error = Box<dyn std::error::Error + Send + Sync>;

pub async fn upload<S>(site: &str, image: &[u8], send: S) -> Result<String, Error>
where
    S: AsyncFn(Request<Full<Bytes>>) -> Result<Response<Incoming>, Error>,
{
    let call = async |request: http::request::Builder, body: Vec<u8>| {
        let reply = send(request.body(Full::from(body))?).await?.into_body().collect().await?;
        Ok::<_, Error>(String::from_utf8(reply.to_bytes().into())?)
    };
    let post =
        Request::post(format!("{site}{}", form::TOKEN)).header("Content-Type", "application/json");
    let token = form::value(&call(post, form::APP.into()).await?, "tenant_access_token")?;

    let put = Request::post(format!("{site}{}", form::PUT)).header("Content-Type", form::FORM);
    let put = put.header("Authorization", format!("Bearer {token}"));
    Ok(form::value(&call(put, form::form(image)).await?, "image_key")?)
}
