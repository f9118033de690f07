//! Sketches in SQL: `hll_merge(sketch)`, an aggregate; `hll_union(sketch, sketch)`, a sketch; and
//! `hll_count(sketch)`, about how many sources it stands for.
//!
//! NULL stands for no source that is known: it is skipped, and what has nothing but NULLs is NULL.
//! Bytes that are no sketch, and sketches of different scope, end the statement with an error.

use rusqlite::{
    Connection, Error,
    functions::{Aggregate, Context, FunctionFlags},
    types::ValueRef,
};

use crate::sketch::{Sketch, SketchError};

type Bytes = Option<Vec<u8>>;

/// Makes the functions known to a connection.
pub(super) fn register(connection: &Connection) -> rusqlite::Result<()> {
    let flags =
        FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_DIRECTONLY;
    connection.create_aggregate_function("hll_merge", 1, flags, Merge)?;
    connection.create_scalar_function("hll_union", 2, flags, |context| -> rusqlite::Result<Bytes> {
        let mut union = None;
        add(&mut union, argument(context, 0)?)?;
        add(&mut union, argument(context, 1)?)?;
        Ok(union.map(|sketch| sketch.to_bytes()))
    })?;
    connection.create_scalar_function("hll_count", 1, flags, |context| {
        let bytes = argument(context, 0)?;
        bytes.map(|bytes| Ok(Sketch::from_bytes(bytes).map_err(failed)?.estimate())).transpose()
    })
}

fn failed(error: SketchError) -> Error {
    Error::UserFunctionError(Box::new(error))
}

fn argument<'a>(context: &'a Context<'_>, index: usize) -> rusqlite::Result<Option<&'a [u8]>> {
    match context.get_raw(index) {
        ValueRef::Null => Ok(None),
        ValueRef::Blob(bytes) => Ok(Some(bytes)),
        other => Err(Error::InvalidParameterType(index, other.data_type())),
    }
}

fn add(union: &mut Option<Sketch>, bytes: Option<&[u8]>) -> rusqlite::Result<()> {
    let Some(bytes) = bytes else { return Ok(()) };
    match union {
        Some(sketch) => sketch.merge_bytes(bytes),
        None => Sketch::from_bytes(bytes).map(|sketch| *union = Some(sketch)),
    }
    .map_err(failed)
}

struct Merge;

impl Aggregate<Option<Sketch>, Bytes> for Merge {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Option<Sketch>> {
        Ok(None)
    }

    fn step(&self, context: &mut Context<'_>, union: &mut Option<Sketch>) -> rusqlite::Result<()> {
        add(union, argument(context, 0)?)
    }

    fn finalize(&self, _: &mut Context<'_>, union: Option<Option<Sketch>>) -> rusqlite::Result<Bytes> {
        Ok(union.flatten().map(|sketch| sketch.to_bytes()))
    }
}
