//! The call that a scenario makes.

use http::{HeaderMap, Method};
use serde::de::IgnoredAny;

use crate::api::{Endpoint, Path, Payload, Quota, Reply, Resend};
use crate::endpoints::{
    AddDimension, GetImage, PutImage, Raw, ReadCells, SendImage, WriteSheetImage,
};
use crate::error::Error;
use crate::token::TenantOnly;
use crate::values::ImageFormat;

/// The endpoint that a [`Scenario`](super::Scenario) calls. It is an [`Endpoint`] itself, with the output `()`, so that
/// a client can call it without a `match`.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "a scenario has one, and the list is short")]
#[non_exhaustive]
pub enum ScenarioCall {
    /// An upload, which is idempotent.
    PutImage(PutImage),
    /// A cell write, which is idempotent, and which waits for other writes to its spreadsheet.
    WriteSheetImage(WriteSheetImage),
    /// A download, which is idempotent, and whose reply has a limit of its own.
    GetImage(GetImage),
    /// A message, which is idempotent because it has a uuid.
    SendImage(SendImage),
    /// A read of cells, whose path is percent-encoded.
    ReadCells(ReadCells),
    /// A request to add rows, which is not idempotent, and which waits for other writes to its spreadsheet.
    AddDimension(AddDimension),
    /// An upload that is not idempotent.
    Unsafe(Raw<IgnoredAny>),
}

/// Calls a method of the endpoint that the scenario calls.
macro_rules! ask {
    ($call:ident, $property:ident) => {
        match $call {
            ScenarioCall::PutImage(endpoint) => Endpoint::$property(endpoint),
            ScenarioCall::WriteSheetImage(endpoint) => Endpoint::$property(endpoint),
            ScenarioCall::GetImage(endpoint) => Endpoint::$property(endpoint),
            ScenarioCall::SendImage(endpoint) => Endpoint::$property(endpoint),
            ScenarioCall::ReadCells(endpoint) => Endpoint::$property(endpoint),
            ScenarioCall::AddDimension(endpoint) => Endpoint::$property(endpoint),
            ScenarioCall::Unsafe(endpoint) => Endpoint::$property(endpoint),
        }
    };
}

impl Endpoint for ScenarioCall {
    type Auth = TenantOnly;
    type Output = ();

    fn method(&self) -> Method {
        ask!(self, method)
    }

    fn route(&self) -> &str {
        ask!(self, route)
    }

    fn path(&self) -> Path {
        ask!(self, path)
    }

    fn payload(&self) -> Option<Payload> {
        ask!(self, payload)
    }

    fn headers(&self) -> HeaderMap {
        ask!(self, headers)
    }

    fn resend(&self) -> Resend {
        ask!(self, resend)
    }

    fn serial_key(&self) -> Option<&str> {
        ask!(self, serial_key)
    }

    fn quota(&self) -> Quota {
        ask!(self, quota)
    }

    fn reply_limit(&self) -> u64 {
        ask!(self, reply_limit)
    }

    /// Accepts an image, and any success with `data`.
    fn read(reply: &Reply) -> Result<(), Error> {
        if ImageFormat::sniff(reply.body()).is_some() {
            return GetImage::read(reply).map(drop);
        }
        reply.data::<IgnoredAny>().map(drop)
    }
}
