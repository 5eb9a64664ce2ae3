//! The replies of the endpoints for spreadsheets.

use lark_proto::endpoints::{
    AddDimension, CellContent, GetWikiNode, QuerySheets, ReadCells, UpdateDimension,
};
use lark_proto::{EndpointExt, WriteSheetImage};

use super::{check, data, in_words, reply};

/// Endpoint | status | body => the success or the error in words.
const SHEETS: &str = r#"
query | 200 | {"code":0,"data":{"sheets":[{"sheet_id":"a","title":"T","index":1},{"sheet_id":"b"},{"sheet_id":"c","index":0,"grid_properties":{"row_count":9,"column_count":8}}]}} => c `` Some((9, 8)), a `T` None, b `` None
query | 200 | {"code":0,"data":{"sheets":[]}} => none
query | 200 | {"code":0,"data":{"sheets":[{"sheet_id":"a","title":"x\u001by\u202e"}]}} => a `x y ` None
query | 400 | {"code":1310214,"msg":"Path param :spreadsheet_token is not exist"} => 1310214 NotFound, GiveUp, `Path param :spreadsheet_token is not exist`
query | 400 | {"code":1310213,"msg":"Permission Fail"} => 1310213 Permission, GiveUp, `Permission Fail`
query | 400 | {"code":1310249,"msg":"Spreadsheet Deleted"} => 1310249 NotFound, GiveUp, `Spreadsheet Deleted`
query | 400 | {"code":1310251,"msg":"Invalid Parameter"} => 1310251 Request, GiveUp, `Invalid Parameter`
query | 500 | {"code":1315201,"msg":"m"} => 1315201 ServiceFailure, Again, `m`
query | 403 | {"code":91403,"msg":"FORBIDDEN","data":{}} => 91403 Permission, GiveUp, `FORBIDDEN`
query | 200 | {"code":0,"data":{}} => unreadable, -, GiveUp, `{"code":0,"data":{}}`
query | 200 | {"code":0,"data":{"sheets":{}}} => unreadable, -, GiveUp, `{"code":0,"data":{"sheets":{}}}`
query | 200 | {"code":0,"data":{"sheets":[{"sheet_id":"a b"}]}} => unreadable, -, GiveUp, `{"code":0,"data":{"sheets":[{"sheet_id":"a b"}]}}`
query | 200 | {"code":0,"data":{"sheets":[["a"]]}} => unreadable, -, GiveUp, `{"code":0,"data":{"sheets":[["a"]]}}`
query | 200 | {"code":0,"data":{"sheets":[{"sheet_id":"a","grid_properties":[9,8]}]}} => a `` None
node | 200 | {"code":0,"data":{"node":["sht","sheet"]}} => unreadable, -, GiveUp, `{"code":0,"data":{"node":["sht","sheet"]}}`
node | 200 | {"code":0,"data":{"node":{"obj_type":"sheet","obj_token":"sht"}}} => sheet sht
node | 200 | {"code":0,"data":{"node":{"obj_type":"a\nb","obj_token":"\u0000c"}}} => a b  c
node | 400 | {"code":131005,"msg":"not found: document not found by token xxx"} => 131005 NotFound, GiveUp, `not found: document not found by token xxx`
node | 400 | {"code":131006,"msg":"permission denied: node permission denied"} => 131006 Permission, GiveUp, `permission denied: node permission denied`
node | 400 | {"code":131002,"msg":"param err"} => 131002 Request, GiveUp, `param err`
node | 400 | {"code":131001,"msg":"rpc fail"} => 131001 ServiceFailure, Again, `rpc fail`
node | 400 | {"code":131007,"msg":"internal err"} => 131007 Unknown, GiveUp, `internal err`
node | 200 | {"code":0,"data":{"node":{"obj_type":"sheet"}}} => unreadable, -, GiveUp, `{"code":0,"data":{"node":{"obj_type":"sheet"}}}`
cells | 200 | {"code":0,"data":{"valueRange":{"values":[["a",null,7],[],[{"type":"embed-image"}]]}}} => (0, 0) Text("a"), (0, 2) Text("7"), (2, 0) Image { file_token: None }
cells | 200 | {"code":0,"data":{"valueRange":{"range":"","values":[]}}} => none
cells | 400 | {"code":90215,"msg":"not found sheetId"} => 90215 NotFound, GiveUp, `not found sheetId`
cells | 200 | {"code":90202,"msg":"wrong range=Q!A1"} => 90202 Request, GiveUp, `wrong range=Q!A1`
cells | 200 | {"code":90221,"msg":"TooLargeResponse"} => 90221 Limit, GiveUp, `TooLargeResponse`
cells | 200 | {"code":0,"data":{"valueRange":"a"}} => unreadable, -, GiveUp, `{"code":0,"data":{"valueRange":"a"}}`
cells | 200 | {"code":0,"data":{"valueRange":[[["a"]]]}} => unreadable, -, GiveUp, `{"code":0,"data":{"valueRange":[[["a"]]]}}`
cells | 200 | {"code":0,"data":{"values":[["a"]]}} => unreadable, -, GiveUp, `{"code":0,"data":{"values":[["a"]]}}`
add | 200 | {"code":0,"data":{"addCount":8,"majorDimension":"ROWS"},"msg":"Success"} => Some(8)
add | 200 | {"code":0,"msg":"Success"} => None
add | 200 | {"code":0,"data":[8]} => unreadable, -, GiveUp, `{"code":0,"data":[8]}`
add | 200 | {"code":90219,"msg":"CellExcess"} => 90219 Limit, GiveUp, `CellExcess`
add | 200 | {"code":90217,"msg":"TooManyRequest"} => 90217 DocumentBusy, Again, `TooManyRequest`
add | 502 | <html> => unreadable, -, Again, `<html>`
set | 200 | {"code":0,"data":{},"msg":"Success"} => set
set | 200 | {"code":0,"msg":"Success"} => set
set | 400 | {"code":90212,"msg":"WrongRowOrCol"} => 90212 Request, GiveUp, `WrongRowOrCol`
set | 200 | {"data":{}} => unreadable, -, GiveUp, `{"data":{}}`
"#;

/// The fields beside a write's token => the range and the revision.
const WRITES: &str = r#"
"updateRange":"a","revision":80 => a 80
"updatedRange":"b","revision":0 => b 0
"updatedRange":"b","updateRange":"a" => a -
"updateRange":null,"updatedRange":"b" => b -
"updateRange":7,"updatedRange":"b","revision":"80" => b -
"updateRange":["a"],"updatedRange":{"b":1},"revision":1.5 => - -
"updateRange":"\ud800","revision":9223372036854775808 => - -
"revision":null,"new":{"deep":[1,{}]} => - -
"#;

#[test]
fn each_endpoint_for_spreadsheets_reads_its_replies() {
    fn some(items: impl Iterator<Item = String>) -> String {
        let items: Vec<_> = items.collect();
        if items.is_empty() { "none".into() } else { items.join(", ") }
    }
    check(SHEETS, |given| {
        let [endpoint, status, body] = given.splitn(3, " | ").collect::<Vec<_>>()[..] else {
            panic!("{given}")
        };
        let reply = reply(status.parse().unwrap(), &[], body.to_owned());
        let success = match endpoint {
            "query" => QuerySheets::decode(reply).map(|sheets| {
                let one = |sheet: &lark_proto::endpoints::Sheet| {
                    let grid = sheet.grid.map(|grid| (grid.rows, grid.columns));
                    format!("{} `{}` {grid:?}", sheet.id, sheet.title)
                };
                some(sheets.iter().map(one))
            }),
            "node" => GetWikiNode::decode(reply)
                .map(|node| format!("{} {}", node.obj_type, node.obj_token)),
            "cells" => ReadCells::decode(reply).map(|cells| {
                let places = (0..3).flat_map(|row| (0..3).map(move |column| (row, column)));
                let cells = places.map(|at| (at, cells.get(at.0, at.1)));
                let filled = cells.filter(|(_, content)| **content != CellContent::Empty);
                some(filled.map(|(at, content)| format!("{at:?} {content:?}")))
            }),
            "add" => AddDimension::decode(reply).map(|added| format!("{:?}", added.count)),
            "set" => UpdateDimension::decode(reply).map(|()| "set".into()),
            other => panic!("{other}"),
        };
        success.unwrap_or_else(|error| in_words(&error))
    });
}

#[test]
fn a_write_is_a_success_whatever_its_details() {
    check(WRITES, |fields| {
        let reply = data(&format!(r#"{{"spreadsheetToken":"sht",{fields}}}"#));
        let written = WriteSheetImage::decode(reply).unwrap();
        assert_eq!(written.spreadsheet_token, "sht");
        let revision = written.revision.map(|revision| revision.to_string());
        let or = |text: Option<String>| text.unwrap_or("-".into());
        format!("{} {}", or(written.range), or(revision))
    });
}
