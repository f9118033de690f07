//! The binary: maps results to exit codes.

use std::{
    env,
    error::Error as _,
    io::{self, Write as _},
    process::ExitCode,
};

fn main() -> ExitCode {
    match teiten::cli::main(env::args_os()) {
        Ok(code) => code,
        // Whoever read our output has seen enough.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error may be a terminal that is gone.
            let _ = writeln!(io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let io = cause.downcast_ref::<io::Error>().map(io::Error::kind).or_else(|| {
            let json = cause.downcast_ref::<serde_json::Error>()?;
            json.source().and_then(|source| source.downcast_ref::<io::Error>()).map(io::Error::kind)
        });
        io == Some(io::ErrorKind::BrokenPipe)
    })
}
