//! The account that the environment names.

use lark_proto::network::ClientBuilder;
use lark_proto::{App, Site};
use lark_ureq::Client;

/// The variables, for the help text of each tool.
pub(crate) const VARIABLES: &str = "\
The account comes from the environment:
    LARK_APP_ID, LARK_APP_SECRET    the app, from its page \"Credentials & Basic Info\"
    LARK_SITE                       `lark`, which is the default, `feishu` or a URL
    HTTPS_PROXY, ALL_PROXY, NO_PROXY    the proxy, as curl reads them";

/// The place of the app's id and secret, for an error text.
const WHERE: &str = "see the app's page \"Credentials & Basic Info\" in the developer console";

/// The site and the app.
pub(crate) struct Account {
    pub(crate) site: Site,
    pub(crate) app_id: String,
    pub(crate) app: App,
}

impl Account {
    /// Reads the account from the environment. The error is one line.
    pub(crate) fn from_env() -> Result<Self, String> {
        // Any host is accepted, because the user chose it and it may be a private deployment.
        let site = match var("LARK_SITE")? {
            None => Site::LARK,
            Some(text) => {
                let site = text.to_lowercase().parse().or_else(|_| Site::custom(&text));
                site.map_err(|error| format!("LARK_SITE is `lark`, `feishu` or a URL: {error}"))?
            }
        };
        let (app_id, secret) = match (var("LARK_APP_ID")?, var("LARK_APP_SECRET")?) {
            (Some(app_id), Some(secret)) => (app_id, secret),
            (None, Some(_)) => return Err(format!("LARK_APP_ID is not set: {WHERE}")),
            (Some(_), None) => return Err(format!("LARK_APP_SECRET is not set: {WHERE}")),
            (None, None) => {
                return Err(format!("LARK_APP_ID and LARK_APP_SECRET are not set: {WHERE}"));
            }
        };
        let app = App::custom(&app_id, &secret);
        let app = app.map_err(|error| format!("LARK_APP_ID or LARK_APP_SECRET: {error}"))?;
        Ok(Self { site, app_id, app })
    }

    /// The settings of a client for the account. It trusts what the operating system trusts, if it was built with the
    /// feature `platform-verifier`.
    pub(crate) fn builder(&self) -> ClientBuilder<Client> {
        let builder = Client::builder(self.site.clone(), self.app.clone());
        if cfg!(feature = "platform-verifier") { builder.platform_verifier() } else { builder }
    }
}

/// The value of a variable, which is `None` if it is not set or empty.
#[expect(clippy::disallowed_methods, reason = "the environment is this program's input")]
fn var(name: &str) -> Result<Option<String>, String> {
    match std::env::var(name) {
        Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
        Err(std::env::VarError::NotPresent) => Ok(None),
        // The text of the error quotes the value, which may be a secret.
        Err(std::env::VarError::NotUnicode(_)) => Err(format!("{name} is not in UTF-8")),
    }
}
