//! The surface of `bpf` and of what goes with it: programs that mark sockets, keys of files, closing of sockets.

use napi::Result;
use napi_derive::napi;

use crate::netlink::diag::{self, Chosen};
use crate::{bpf, done, file_key, parse, text};

/// Programs that mark sockets at birth. They outlive this object, and this process.
#[napi]
pub struct AppMarks {
    marks: bpf::Marks,
}

/// Whether scripts can be told apart too; throws where none of it works.
#[napi]
pub fn app_marks_probe(options: String) -> Result<bool, String> {
    done(bpf::probe(&parse(&options)?))
}

#[napi]
pub fn app_marks_open(options: String) -> Result<AppMarks, String> {
    Ok(AppMarks { marks: done(bpf::Marks::open(&parse(&options)?))? })
}

/// Whether there was anything of ours.
#[napi]
pub fn app_marks_clear(bpffs: String) -> Result<bool, String> {
    done(bpf::clear(&bpffs))
}

#[napi]
impl AppMarks {
    #[napi]
    pub fn apply(&self, wanted: String) -> Result<(), String> {
        done(self.marks.apply(&parse(&wanted)?))
    }

    #[napi]
    pub fn read(&self) -> Result<String, String> {
        text(self.marks.read())
    }

    #[napi]
    pub fn alone(&self) -> Result<bool, String> {
        done(self.marks.alone())
    }

    #[napi]
    pub fn tasks(&self) -> Result<String, String> {
        text(self.marks.tasks())
    }

    #[napi]
    pub fn set_tasks(&self, tasks: String) -> Result<(), String> {
        let tasks: Vec<bpf::TaskClass> = parse(&tasks)?;
        done(self.marks.set_tasks(&tasks))
    }

    #[napi]
    pub fn older(&self, programs: Vec<u32>, places: Vec<u32>) -> Result<u32, String> {
        let sockets = done(self.marks.sockets(&programs, &places))?;
        done(diag::count(&Chosen::Unlike(sockets), self.marks.mask))
    }

    #[napi]
    pub fn reopen(&self, programs: Vec<u32>, places: Vec<u32>) -> Result<u32, String> {
        let sockets = done(self.marks.sockets(&programs, &places))?;
        done(diag::destroy(&Chosen::Unlike(sockets), self.marks.mask))
    }
}

#[napi]
pub fn destroy_marked(marks: Vec<u32>, mask: u32) -> Result<u32, String> {
    done(diag::destroy(&Chosen::Marked(marks), mask))
}

#[napi]
pub fn bpf_mount(folder: String) -> Result<(), String> {
    done(bpf::mount(&folder))
}

/// Whether there was one.
#[napi]
pub fn bpf_unmount(folder: String) -> Result<bool, String> {
    done(bpf::unmount(&folder))
}

#[napi]
pub fn file_key(path: String) -> Result<String, String> {
    done(file_key::file_key(&path))
}
