//! The `sops` commands: encrypted files read and written without another tool. Called by the name `sops`, the program takes sops's
//! command line and gives its exit codes (`sops.md` sections 14 and 15).

mod change_flags;
mod child;
mod decrypt;
mod edit;
mod editor;
mod encrypt;
mod failure;
mod flags;
mod input;
mod key_flags;
mod names;
mod private;
mod replace;
mod rotate;
mod rules;
mod set;

use clap::Parser as _;

pub(super) use self::flags::SopsCommand;
pub(super) use self::names::NAME;
use self::names::Sops;
use super::{Name, Process, refuse};

/// Runs the program as sops.
pub(super) fn run_by_name(process: &mut Process<'_>) -> u8 {
    match Sops::try_parse_from(names::arranged(&process.arguments)) {
        Ok(sops) => run(sops.command, Name::Sops, process),
        // sops knows no exit code of its own for a wrong command line.
        Err(error) => refuse(&error, process).min(1),
    }
}

/// Runs a command and gives its exit code.
pub(super) fn run(command: SopsCommand, name: Name, process: &mut Process<'_>) -> u8 {
    let done = match command {
        SopsCommand::Decrypt(flags) => decrypt::decrypt(&flags, process),
        SopsCommand::Encrypt(flags) => encrypt::encrypt(&flags, process),
        SopsCommand::Edit(flags) => edit::edit(&flags, process),
        SopsCommand::Set(flags) => set::set(&flags, process),
        SopsCommand::Unset(flags) => set::unset(&flags, process),
        SopsCommand::Rotate(flags) => rotate::rotate(&flags, process),
        SopsCommand::Updatekeys(flags) => rotate::updatekeys(&flags, name, process),
        SopsCommand::Groups { command } => rotate::groups(&command, process),
        SopsCommand::Filestatus(flags) => decrypt::filestatus(&flags, process),
        SopsCommand::ExecEnv(flags) => child::exec_env(&flags, process),
        SopsCommand::ExecFile(flags) => child::exec_file(&flags, process),
    };
    done.unwrap_or_else(|failure| failure.tell(name, process))
}
