//! A session's token as text, so that a caller can keep it across a restart or share it between processes.

use std::borrow::Cow;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::session::Session;
use crate::error::{Invalid, InvalidKind};
use crate::text::base64;
use crate::token::TenantToken;
use crate::values::{AppId, TenantKey};

/// The name and version of the format.
const FORMAT: &str = "lark-token-1";

/// The longest time for which an imported token is used. The service grants no token for longer.
const MAX_IMPORTED_LIFE: Duration = Duration::from_secs(7200);

/// The content of the text. It is JSON with the fields in this order.
#[derive(serde::Serialize, serde::Deserialize)]
struct ExportedToken<'a> {
    #[serde(borrow)]
    app: Cow<'a, str>,
    #[serde(borrow)]
    site: Cow<'a, str>,
    #[serde(borrow)]
    tenant: Option<Cow<'a, str>>,
    #[serde(borrow)]
    token: Cow<'a, str>,
    /// When the token expires, in seconds since 1970.
    #[serde(rename = "ends")]
    expires_at: u64,
}

impl Session {
    /// The token for `tenant` (`None` for a custom app) as one line of ASCII letters, digits, `.`, `-` and `_`. The
    /// text is a secret. Returns `None` if the session has no valid token for `tenant`, or if `wall` is before 1970.
    ///
    /// `now` is the time of the clock that the session's other methods use, which may be a monotonic clock. `wall` is
    /// the time of the wall clock, on which the text states when the token expires.
    #[must_use]
    pub fn export_token(
        &mut self,
        now: SystemTime,
        wall: SystemTime,
        tenant: Option<&TenantKey>,
    ) -> Option<String> {
        let elapsed = self.tick(now);
        let (token, expires_at) = self.tokens.held(&tenant.cloned())?;
        let left = expires_at.0.checked_sub(elapsed.0).filter(|left| !left.is_zero())?;
        let exported = ExportedToken {
            app: self.app.id()?.as_str().into(),
            site: self.site.as_str().into(),
            tenant: tenant.map(|tenant| tenant.as_str().into()),
            token: token.expose_secret().into(),
            expires_at: wall.duration_since(UNIX_EPOCH).ok()?.checked_add(left)?.as_secs(),
        };
        let json = serde_json::to_string(&exported).ok()?;
        Some(format!("{FORMAT}.{:016x}.{}", checksum(&json), base64::url_safe(&json)))
    }

    /// Takes a token that a session of the same app, site and tenant has exported, and wakes the calls that wait for a
    /// token. If the session has a token that expires later, it keeps that one. White space around `text` is ignored,
    /// and the token is used for two hours at most. `now` and `wall` are as for [`Session::export_token`].
    ///
    /// # Errors
    /// [`InvalidKind::DamagedToken`] if the text differs from what was exported, [`InvalidKind::ForeignToken`] if it is
    /// of another app, site or tenant, [`InvalidKind::ExpiredToken`] if the token has expired, and
    /// [`InvalidKind::RefusedToken`] if the service has refused it. No error quotes the token. After an error the
    /// session is unchanged, and requests a token when it needs one.
    pub fn import_token(
        &mut self,
        now: SystemTime,
        wall: SystemTime,
        tenant: Option<&TenantKey>,
        text: &str,
    ) -> Result<(), Invalid> {
        let elapsed = self.tick(now);
        let refused = |kind| Invalid::new(kind, format!("{} bytes", text.len()));
        let damaged = || refused(InvalidKind::DamagedToken);
        let json = decode(text.trim()).ok_or_else(damaged)?;
        let exported: ExportedToken<'_> =
            serde_json::from_slice(json.as_bytes()).map_err(|_| damaged())?;
        // serde also reads an array, other fields, and fields in another order.
        if serde_json::to_string(&exported).ok().as_ref() != Some(&json) {
            return Err(damaged());
        }
        let token = TenantToken::new(&exported.token).map_err(|_| damaged())?;
        let same = self.app.id().map(AppId::as_str) == Some(&*exported.app)
            && self.site.as_str() == exported.site
            && tenant.map(TenantKey::as_str) == exported.tenant.as_deref();
        if !same {
            return Err(refused(InvalidKind::ForeignToken));
        }
        let expires_at =
            UNIX_EPOCH.checked_add(Duration::from_secs(exported.expires_at)).ok_or_else(damaged)?;
        let left =
            expires_at.duration_since(wall).map_err(|_| refused(InvalidKind::ExpiredToken))?;
        if left.is_zero() {
            return Err(refused(InvalidKind::ExpiredToken));
        }
        let life = left.min(MAX_IMPORTED_LIFE);
        if !self.tokens.import(&tenant.cloned(), token, life, elapsed, &mut self.woken) {
            return Err(refused(InvalidKind::RefusedToken));
        }
        Ok(())
    }
}

fn decode(text: &str) -> Option<String> {
    let (sum, json) = text.strip_prefix(FORMAT)?.strip_prefix('.')?.split_once('.')?;
    let json = base64::url_safe_decoded(json)?;
    (sum == format!("{:016x}", checksum(&json))).then_some(json)
}

/// The FNV-1a hash. It detects a text that was cut or mistyped. It does not authenticate the text.
fn checksum(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::Site;
    use crate::values::App;

    #[test]
    fn json_in_another_form_than_the_exported_one_is_damaged() {
        let exported = r#"{"app":"cli_x","site":"https://open.larksuite.com","tenant":null,"token":"t-a","ends":60}"#;
        let array = r#"["cli_x","https://open.larksuite.com",null,"t-a",60]"#;
        let damaged = [
            array.to_owned(),
            exported.replace(r#""tenant":null,"#, ""),
            exported.replace("60", r#"60,"other":1"#),
            exported.replace(r#""token":"t-a","ends":60"#, r#""ends":60,"token":"t-a""#),
            exported.replace("60", "60 "),
        ];
        let damaged = damaged.map(|json| (json, Some(InvalidKind::DamagedToken)));
        for (json, refusal) in [(exported.to_owned(), None)].into_iter().chain(damaged) {
            let mut session = Session::new(Site::LARK, App::custom("cli_x", "s").unwrap());
            let text = format!("{FORMAT}.{:016x}.{}", checksum(&json), base64::url_safe(&json));
            let result = session.import_token(UNIX_EPOCH, UNIX_EPOCH, None, &text);
            assert_eq!(result.err().map(|error| error.kind()), refusal, "{json}");
        }
    }
}
