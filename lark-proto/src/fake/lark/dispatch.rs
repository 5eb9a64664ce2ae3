//! Carries out an admitted request by its route.

use serde_json::json;

use super::FakeLark;
use crate::fake::reply::{Refusal, ReplyDraft};
use crate::fake::route::Route;
use crate::fake::services::spreadsheets::{body, cell_write, dimensions};
use crate::fake::services::{FakeSheet, RouteRequest, download, messages, upload};

impl FakeLark {
    /// Carries out `request`. `log_id` is that of its reply.
    pub(super) fn perform(
        &mut self,
        request: &RouteRequest<'_>,
        log_id: &str,
    ) -> Result<ReplyDraft, Refusal> {
        let RouteRequest { now, target, headers, body, .. } = *request;
        if let Some(added) = self.added_routes.iter().find(|added| added.route == target.route) {
            return Ok(added.answer(request, log_id));
        }
        let document = match target.route {
            Route::ImV1Image => {
                let app = self.tokens.app(headers);
                return download::image(self.images.entries(), target.value(0), app);
            }
            Route::MediaDownload => return download::media(&self.spreadsheets, target),
            Route::TenantAccessToken
            | Route::AppAccessToken
            | Route::StoreTenantAccessToken
            | Route::ResendAppTicket => {
                self.apps.perform(now, &mut self.tokens, target.route, headers, body)?
            }
            Route::ImageV4Put | Route::ImV1Images => {
                let app_id = self.tokens.app(headers);
                let image = upload::read(target.route, headers, body, app_id)?;
                let (key, msg) = upload::key(target.route, self.images_added);
                self.images_added = self.images_added.saturating_add(1);
                let reply = json!({"code": 0, "data": {"image_key": &key}, "msg": msg});
                self.images.insert(key, image);
                reply
            }
            Route::ValuesImage => {
                let write: cell_write::CellWrite = body::read(headers, body)?;
                if self.refuses_base64 && write.image.is_base64 {
                    let msg = "WrongRequestBody: this tenant takes no image in base64";
                    return Err(Refusal::with_400(90204, msg));
                }
                let token = target.value(0);
                self.spreadsheet(token)?.write(token, write)?
            }
            Route::Values => {
                let without_file_tokens = match target.query("valueRenderOption") {
                    None | Some("Formula" | "FormattedValue" | "UnformattedValue") => false,
                    Some("ToString") => true,
                    Some(_) => {
                        return Err(Refusal::with_200(90229, "WrongURLParam: valueRenderOption"));
                    }
                };
                let token = target.value(0);
                self.spreadsheet(token)?.values(token, target.value(1), without_file_tokens)?
            }
            Route::AddDimension => {
                let add: dimensions::Add = body::read(headers, body)?;
                let change = |sheet: &mut FakeSheet| sheet.add(&add.dimension);
                self.spreadsheet(target.value(0))?.change(&add.dimension.sheet_id, change)?
            }
            Route::UpdateDimension => {
                let update: dimensions::Update = body::read(headers, body)?;
                let change = |sheet: &mut FakeSheet| sheet.update(&update);
                self.spreadsheet(target.value(0))?.change(&update.dimension.sheet_id, change)?
            }
            Route::SheetsQuery => {
                let found = self.spreadsheets.get(target.value(0)).ok_or_else(|| {
                    Refusal::with_400(1310214, "Path param :spreadsheet_token is not exist")
                })?;
                found.query()
            }
            Route::WikiNode => self.wiki.node(target)?,
            // An added endpoint is answered above.
            Route::Own { .. } => return Err(Refusal::with_400(9499, "Bad Request")),
            Route::Messages | Route::MessageReply => {
                let app = self.tokens.app(headers);
                let request =
                    messages::Request { now, headers, body, images: self.images.entries(), app };
                match target.route {
                    Route::MessageReply => self.messages.reply(target.value(0), &request)?,
                    _ => self.messages.send(target.query("receive_id_type"), &request)?,
                }
            }
        };
        Ok(document.into())
    }
}
