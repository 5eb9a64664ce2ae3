//! Both modules share this code: it exchanges bytes with the host, and makes the request of a cell write.
//!
//! There is one buffer. The host asks for its address with [`buffer`], writes the arguments of the next function into
//! it, and finds that function's result at [`address`], [`len`] bytes long. Arguments are lines of text, each ended by
//! a line feed, and the bytes of an image after them.

use std::cell::RefCell;
use std::error::Error;

use bytes::Bytes;
use http::Request;
use lark_proto::body::Body;
use lark_proto::wire::{self, HeaderSecrets};
use lark_proto::{EndpointExt, Image, Site, TenantToken, WriteSheetImage};

/// The result of a function: it tells the host how to go on.
#[derive(Debug)]
#[repr(u32)]
pub enum Next {
    /// Nothing, or the next step of the call.
    Go = 0,
    /// Send the request: the buffer has its HTTP/1.1 head, and [`chunk`] its body.
    Send = 1,
    /// Wait.
    Wait = 2,
    /// The call is over, and the buffer has its result.
    Done = 3,
    /// A value or the call has failed, and the buffer has the error's text.
    Failed = 4,
}

#[derive(Default)]
pub(crate) struct Exchange {
    pub(crate) buffer: Vec<u8>,
    /// The unread part of the body of the last request.
    pub(crate) body: Body,
}

thread_local! {
    static EXCHANGE: RefCell<Exchange> = RefCell::default();
}

fn with<T>(function: impl FnOnce(&mut Exchange) -> T) -> T {
    EXCHANGE.with_borrow_mut(function)
}

/// Calls a function with the buffer's first `N` lines and the bytes after them.
pub(crate) fn with_lines<const N: usize>(
    function: impl FnOnce(&mut Exchange, [&str; N], Bytes) -> Result<Next, Box<dyn Error>>,
) -> Next {
    with(|exchange| {
        let mut rest = Bytes::from(std::mem::take(&mut exchange.buffer));
        let mut lines = [const { Bytes::new() }; N];
        for line in &mut lines {
            let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
            *line = rest.split_to(end);
            rest = rest.split_off(rest.len().min(1));
        }
        let texts = lines.each_ref().map(|line| std::str::from_utf8(line).unwrap_or_default());
        function(exchange, texts, rest).unwrap_or_else(|error| {
            exchange.buffer = error.to_string().into_bytes();
            Next::Failed
        })
    })
}

impl Exchange {
    pub(crate) fn send(&mut self, request: Request<Body>) -> Next {
        self.buffer = wire::head(&request, HeaderSecrets::Shown).into();
        self.body = request.into_body();
        Next::Send
    }
}

/// Makes the buffer `len` bytes long, and returns its address. The address holds until the next call of a function.
#[unsafe(no_mangle)]
pub extern "C" fn buffer(len: usize) -> *mut u8 {
    with(|exchange| {
        exchange.buffer.resize(len, 0);
        exchange.buffer.as_mut_ptr()
    })
}

/// The address of the buffer.
#[unsafe(no_mangle)]
pub extern "C" fn address() -> *const u8 {
    with(|exchange| exchange.buffer.as_ptr())
}

/// The length of the buffer.
#[unsafe(no_mangle)]
pub extern "C" fn len() -> usize {
    with(|exchange| exchange.buffer.len())
}

/// The next chunk of the body; an empty buffer at its end.
#[unsafe(no_mangle)]
pub extern "C" fn chunk() {
    with(|exchange| {
        exchange.buffer.clear();
        exchange.buffer.extend_from_slice(&exchange.body.next_chunk().unwrap_or_default());
    });
}

/// The request that writes an image into a cell. Lines: token, spreadsheet, cell, file name; then the image.
#[unsafe(no_mangle)]
pub extern "C" fn write_sheet_image() -> Next {
    with_lines(|exchange, [token, sheet, cell, name], image| {
        let endpoint = write(sheet, cell, name, image)?;
        Ok(exchange.send(endpoint.request_streamed(&Site::LARK, &TenantToken::new(token)?)))
    })
}

pub(crate) fn write(
    sheet: &str,
    cell: &str,
    name: &str,
    image: Bytes,
) -> Result<WriteSheetImage, Box<dyn Error>> {
    let endpoint = WriteSheetImage::new(sheet.parse()?, cell.parse()?, Image::new(image)?)?;
    Ok(endpoint.with_name(name)?)
}
