//! The library's headers, as programs include them: musl's, with those of the neutral architecture.
//!
//! Structures are x86_64's, like the front end; numbers of system calls are Linux's generic ones (musl's aarch64 has them).

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::{LibcError, overlay};

/// Installs all headers into a directory. Later ones replace earlier ones of the same name.
pub fn install(source: &Path, to: &Path) -> Result<(), LibcError> {
    copy(&source.join("include"), to)?;
    let bits = to.join("bits");
    for architecture in ["generic", "x86_64"] {
        copy(&source.join("arch").join(architecture).join("bits"), &bits)?;
    }
    let read = |name: &str| {
        let path = source.join(name);
        fs::read_to_string(&path).map_err(LibcError::file("read", &path))
    };
    let types = read("arch/x86_64/bits/alltypes.h.in")? + &read("include/alltypes.h.in")?;
    write(to, "bits/alltypes.h", &all_types(&types))?;
    write(
        to,
        "bits/syscall.h",
        &numbers(&read("arch/aarch64/bits/syscall.h.in")?),
    )?;
    for (name, text) in overlay() {
        if let Some(name) = name.strip_prefix("arch/bits/") {
            write(&bits, name, text)?;
        }
    }
    Ok(())
}

/// Copies the headers in a directory, and in those below it.
fn copy(from: &Path, to: &Path) -> Result<(), LibcError> {
    fs::create_dir_all(to).map_err(LibcError::file("create", to))?;
    for entry in fs::read_dir(from).map_err(LibcError::file("read", from))? {
        let path = entry.map_err(LibcError::file("read", from))?.path();
        let Some(name) = path.file_name() else {
            continue;
        };
        if path.is_dir() {
            copy(&path, &to.join(name))?;
        } else if path.extension().is_some_and(|e| e == "h") {
            fs::copy(&path, to.join(name)).map_err(LibcError::file("read", &path))?;
        }
    }
    Ok(())
}

fn write(directory: &Path, name: &str, text: &str) -> Result<(), LibcError> {
    let path = directory.join(name);
    let parent = path.parent().unwrap_or(directory);
    fs::create_dir_all(parent).map_err(LibcError::file("create", parent))?;
    fs::write(&path, text).map_err(LibcError::file("write", &path))
}

/// musl's templates of types: each `TYPEDEF type name;`, `STRUCT name { ... };` and `UNION name { ... };` becomes a definition that a header asks
/// for by `__NEED_name`.
fn all_types(template: &str) -> String {
    let mut out = String::new();
    for line in template.lines() {
        let definition = line.split_once(' ').and_then(|(keyword, rest)| {
            let rest = rest.trim_start().strip_suffix(';')?;
            let keyword = match keyword {
                "TYPEDEF" => {
                    let (ty, name) = rest.rsplit_once(' ')?;
                    return Some((name.to_owned(), format!("typedef {ty} {name};")));
                }
                "STRUCT" => "struct",
                "UNION" => "union",
                _ => return None,
            };
            let (name, body) = rest.split_once(' ')?;
            Some((
                format!("{keyword}_{name}"),
                format!("{keyword} {name} {body};"),
            ))
        });
        let _ = match definition {
            Some((name, text)) => writeln!(
                out,
                "#if defined(__NEED_{name}) && !defined(__DEFINED_{name})\n{text}\n#define __DEFINED_{name}\n#endif"
            ),
            None => writeln!(out, "{line}"),
        };
    }
    out
}

/// Each `#define __NR_name number`, and the same as `SYS_name`.
fn numbers(template: &str) -> String {
    let libc = template
        .lines()
        .filter(|l| l.contains("__NR_"))
        .map(|l| l.replacen("__NR_", "SYS_", 1) + "\n");
    template.to_owned() + &libc.collect::<String>()
}

#[cfg(test)]
mod tests {
    use super::{all_types, numbers};

    #[test]
    fn templates_become_definitions_on_demand() {
        let template = "#define _Int64 long\nTYPEDEF unsigned _Int64 size_t;\nSTRUCT timeval { time_t tv_sec; };\n";
        assert_eq!(
            all_types(template),
            "#define _Int64 long\n\
             #if defined(__NEED_size_t) && !defined(__DEFINED_size_t)\ntypedef unsigned _Int64 size_t;\n#define __DEFINED_size_t\n#endif\n\
             #if defined(__NEED_struct_timeval) && !defined(__DEFINED_struct_timeval)\nstruct timeval { time_t tv_sec; };\n#define __DEFINED_struct_timeval\n#endif\n"
        );
        assert_eq!(
            numbers("#define __NR_read 63\n"),
            "#define __NR_read 63\n#define SYS_read 63\n"
        );
    }
}
