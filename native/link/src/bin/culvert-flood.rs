//! culvert-flood '<FloodSpec as JSON>': sends what it is told and says what became of it, as JSON by stream.

use std::process::ExitCode;

use culvert_link::flood::{run::run, spec::FloodSpec};

fn main() -> ExitCode {
    let Some(argument) = std::env::args().nth(1) else {
        eprintln!("usage: culvert-flood '{{\"seconds\": 1, \"streams\": [...]}}'");
        return ExitCode::from(2);
    };
    let spec: FloodSpec = match serde_json::from_str(&argument) {
        Ok(spec) => spec,
        Err(wrong) => {
            eprintln!("culvert-flood: {wrong}");
            return ExitCode::from(2);
        }
    };
    match run(&spec) {
        Ok(()) => ExitCode::SUCCESS,
        Err(wrong) => {
            eprintln!("culvert-flood: {wrong}");
            ExitCode::FAILURE
        }
    }
}
