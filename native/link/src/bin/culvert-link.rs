//! culvert-link '<WireSpec as JSON>': a wire between network namespaces, until standard input ends.

use std::process::ExitCode;

use culvert_link::link::{control::WireSpec, run::run};

fn main() -> ExitCode {
    let Some(argument) = std::env::args().nth(1) else {
        eprintln!(
            "usage: culvert-link '{{\"record\": folder, \"seed\": 1, \"ports\": [...], \"shape\": {{}}}}'"
        );
        return ExitCode::from(2);
    };
    let spec: WireSpec = match serde_json::from_str(&argument) {
        Ok(spec) => spec,
        Err(wrong) => {
            eprintln!("culvert-link: {wrong}");
            return ExitCode::from(2);
        }
    };
    match run(spec) {
        Ok(()) => ExitCode::SUCCESS,
        Err(wrong) => {
            eprintln!("culvert-link: {wrong}");
            ExitCode::FAILURE
        }
    }
}
