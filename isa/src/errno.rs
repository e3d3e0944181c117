//! Linux error numbers, the same on both ISAs (asm-generic/errno-base.h and errno.h), and how a syscall result carries them.
//!
//! Left out: the aliases EWOULDBLOCK (EAGAIN), EDEADLOCK (EDEADLK) and ENOTSUP (EOPNOTSUPP).

use std::fmt;

/// A Linux error number, 1 to 4095: what a failing call returns negated.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Errno(i32);

impl Errno {
    /// The largest number that a syscall result can carry (`MAX_ERRNO`, include/linux/err.h).
    pub const MAX: i32 = 4095;

    /// The error of a positive number; `None` outside 1 to 4095.
    pub const fn from_raw(number: i32) -> Option<Errno> {
        if number >= 1 && number <= Errno::MAX {
            Some(Errno(number))
        } else {
            None
        }
    }

    /// The positive number.
    pub const fn raw(self) -> i32 {
        self.0
    }

    /// What the syscall result register holds for a result: the value, or the negated error number.
    pub const fn encode(result: Result<u64, Errno>) -> u64 {
        match result {
            Ok(value) => value,
            Err(errno) => (-(errno.0 as i64)) as u64,
        }
    }

    /// Reads a syscall result register, as libc does: the last 4095 values are errors.
    pub const fn decode(register: u64) -> Result<u64, Errno> {
        let negated = (register as i64).wrapping_neg();
        if negated >= 1 && negated <= Errno::MAX as i64 {
            Err(Errno(negated as i32))
        } else {
            Ok(register)
        }
    }

    /// The name, as `EINVAL`; `None` for a number that Linux does not use.
    pub fn name(self) -> Option<&'static str> {
        self.entry().map(|&(_, name, _)| name)
    }

    /// The text of `strerror`, as "Invalid argument"; a general one for a number that Linux does not use.
    pub fn description(self) -> &'static str {
        self.entry().map_or("Unknown error", |&(_, _, text)| text)
    }

    /// The error of a name, as `EINVAL`.
    pub fn from_name(name: &str) -> Option<Errno> {
        TABLE
            .iter()
            .find(|&&(_, candidate, _)| candidate == name)
            .map(|&(errno, _, _)| errno)
    }

    /// All named errors, by number.
    pub fn all() -> impl Iterator<Item = Errno> {
        TABLE.iter().map(|&(errno, _, _)| errno)
    }

    fn entry(self) -> Option<&'static (Errno, &'static str, &'static str)> {
        TABLE
            .binary_search_by_key(&self.0, |(errno, _, _)| errno.0)
            .ok()
            .map(|index| &TABLE[index])
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => write!(f, "errno {}", self.0),
        }
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Errno {}

macro_rules! errnos {
    ($($name:ident = $number:literal, $text:literal;)*) => {
        impl Errno {
            $(#[doc = concat!($text, " (", stringify!($number), ").")] pub const $name: Errno = Errno($number);)*
        }

        /// Number, name and text of every error, ascending.
        const TABLE: &[(Errno, &str, &str)] = &[$((Errno::$name, stringify!($name), $text)),*];
    };
}

errnos! {
    EPERM = 1, "Operation not permitted";
    ENOENT = 2, "No such file or directory";
    ESRCH = 3, "No such process";
    EINTR = 4, "Interrupted system call";
    EIO = 5, "I/O error";
    ENXIO = 6, "No such device or address";
    E2BIG = 7, "Argument list too long";
    ENOEXEC = 8, "Exec format error";
    EBADF = 9, "Bad file descriptor";
    ECHILD = 10, "No child processes";
    EAGAIN = 11, "Resource temporarily unavailable";
    ENOMEM = 12, "Cannot allocate memory";
    EACCES = 13, "Permission denied";
    EFAULT = 14, "Bad address";
    ENOTBLK = 15, "Block device required";
    EBUSY = 16, "Device or resource busy";
    EEXIST = 17, "File exists";
    EXDEV = 18, "Cross-device link";
    ENODEV = 19, "No such device";
    ENOTDIR = 20, "Not a directory";
    EISDIR = 21, "Is a directory";
    EINVAL = 22, "Invalid argument";
    ENFILE = 23, "File table overflow";
    EMFILE = 24, "Too many open files";
    ENOTTY = 25, "Inappropriate ioctl for device";
    ETXTBSY = 26, "Text file busy";
    EFBIG = 27, "File too large";
    ENOSPC = 28, "No space left on device";
    ESPIPE = 29, "Illegal seek";
    EROFS = 30, "Read-only file system";
    EMLINK = 31, "Too many links";
    EPIPE = 32, "Broken pipe";
    EDOM = 33, "Math argument out of domain of func";
    ERANGE = 34, "Math result not representable";
    EDEADLK = 35, "Resource deadlock would occur";
    ENAMETOOLONG = 36, "File name too long";
    ENOLCK = 37, "No record locks available";
    ENOSYS = 38, "Function not implemented";
    ENOTEMPTY = 39, "Directory not empty";
    ELOOP = 40, "Too many symbolic links encountered";
    ENOMSG = 42, "No message of desired type";
    EIDRM = 43, "Identifier removed";
    ECHRNG = 44, "Channel number out of range";
    EL2NSYNC = 45, "Level 2 not synchronized";
    EL3HLT = 46, "Level 3 halted";
    EL3RST = 47, "Level 3 reset";
    ELNRNG = 48, "Link number out of range";
    EUNATCH = 49, "Protocol driver not attached";
    ENOCSI = 50, "No CSI structure available";
    EL2HLT = 51, "Level 2 halted";
    EBADE = 52, "Invalid exchange";
    EBADR = 53, "Invalid request descriptor";
    EXFULL = 54, "Exchange full";
    ENOANO = 55, "No anode";
    EBADRQC = 56, "Invalid request code";
    EBADSLT = 57, "Invalid slot";
    EBFONT = 59, "Bad font file format";
    ENOSTR = 60, "Device not a stream";
    ENODATA = 61, "No data available";
    ETIME = 62, "Timer expired";
    ENOSR = 63, "Out of streams resources";
    ENONET = 64, "Machine is not on the network";
    ENOPKG = 65, "Package not installed";
    EREMOTE = 66, "Object is remote";
    ENOLINK = 67, "Link has been severed";
    EADV = 68, "Advertise error";
    ESRMNT = 69, "Srmount error";
    ECOMM = 70, "Communication error on send";
    EPROTO = 71, "Protocol error";
    EMULTIHOP = 72, "Multihop attempted";
    EDOTDOT = 73, "RFS specific error";
    EBADMSG = 74, "Not a data message";
    EOVERFLOW = 75, "Value too large for defined data type";
    ENOTUNIQ = 76, "Name not unique on network";
    EBADFD = 77, "File descriptor in bad state";
    EREMCHG = 78, "Remote address changed";
    ELIBACC = 79, "Can not access a needed shared library";
    ELIBBAD = 80, "Accessing a corrupted shared library";
    ELIBSCN = 81, ".lib section in a.out corrupted";
    ELIBMAX = 82, "Attempting to link in too many shared libraries";
    ELIBEXEC = 83, "Cannot exec a shared library directly";
    EILSEQ = 84, "Illegal byte sequence";
    ERESTART = 85, "Interrupted system call should be restarted";
    ESTRPIPE = 86, "Streams pipe error";
    EUSERS = 87, "Too many users";
    ENOTSOCK = 88, "Socket operation on non-socket";
    EDESTADDRREQ = 89, "Destination address required";
    EMSGSIZE = 90, "Message too long";
    EPROTOTYPE = 91, "Protocol wrong type for socket";
    ENOPROTOOPT = 92, "Protocol not available";
    EPROTONOSUPPORT = 93, "Protocol not supported";
    ESOCKTNOSUPPORT = 94, "Socket type not supported";
    EOPNOTSUPP = 95, "Operation not supported on transport endpoint";
    EPFNOSUPPORT = 96, "Protocol family not supported";
    EAFNOSUPPORT = 97, "Address family not supported by protocol";
    EADDRINUSE = 98, "Address already in use";
    EADDRNOTAVAIL = 99, "Cannot assign requested address";
    ENETDOWN = 100, "Network is down";
    ENETUNREACH = 101, "Network is unreachable";
    ENETRESET = 102, "Network dropped connection because of reset";
    ECONNABORTED = 103, "Software caused connection abort";
    ECONNRESET = 104, "Connection reset by peer";
    ENOBUFS = 105, "No buffer space available";
    EISCONN = 106, "Transport endpoint is already connected";
    ENOTCONN = 107, "Transport endpoint is not connected";
    ESHUTDOWN = 108, "Cannot send after transport endpoint shutdown";
    ETOOMANYREFS = 109, "Too many references: cannot splice";
    ETIMEDOUT = 110, "Connection timed out";
    ECONNREFUSED = 111, "Connection refused";
    EHOSTDOWN = 112, "Host is down";
    EHOSTUNREACH = 113, "No route to host";
    EALREADY = 114, "Operation already in progress";
    EINPROGRESS = 115, "Operation now in progress";
    ESTALE = 116, "Stale file handle";
    EUCLEAN = 117, "Structure needs cleaning";
    ENOTNAM = 118, "Not a XENIX named type file";
    ENAVAIL = 119, "No XENIX semaphores available";
    EISNAM = 120, "Is a named type file";
    EREMOTEIO = 121, "Remote I/O error";
    EDQUOT = 122, "Quota exceeded";
    ENOMEDIUM = 123, "No medium found";
    EMEDIUMTYPE = 124, "Wrong medium type";
    ECANCELED = 125, "Operation Canceled";
    ENOKEY = 126, "Required key not available";
    EKEYEXPIRED = 127, "Key has expired";
    EKEYREVOKED = 128, "Key has been revoked";
    EKEYREJECTED = 129, "Key was rejected by service";
    EOWNERDEAD = 130, "Owner died";
    ENOTRECOVERABLE = 131, "State not recoverable";
    ERFKILL = 132, "Operation not possible due to RF-kill";
    EHWPOISON = 133, "Memory page has hardware error";
    ERESTARTSYS = 512, "Restart the call after the signal if SA_RESTART; never seen by user code";
    ERESTARTNOINTR = 513, "Always restart the call; never seen by user code";
    ERESTARTNOHAND = 514, "Restart the call if no handler ran; never seen by user code";
    ERESTART_RESTARTBLOCK = 516, "Restart through restart_syscall; never seen by user code";
    ENOTSUPP = 524, "Operation is not supported by the kernel";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_is_ascending_and_names_lead_back() {
        assert!(TABLE.windows(2).all(|pair| pair[0].0 < pair[1].0));
        for errno in Errno::all() {
            assert_eq!(Errno::from_raw(errno.raw()), Some(errno));
            assert_eq!(Errno::from_name(errno.name().unwrap()), Some(errno));
        }
        assert_eq!(Errno::from_name("ENOSUCH"), None);
        assert_eq!((Errno::from_raw(0), Errno::from_raw(4096)), (None, None));
    }

    #[test]
    fn results_in_the_register() {
        // (result, register)
        let cases = [
            (Ok(0), 0),
            (Ok(0x7fff_ffff_f000), 0x7fff_ffff_f000),
            (Ok((-4096i64) as u64), (-4096i64) as u64),
            (Err(Errno::EPERM), u64::MAX),
            (Err(Errno::EINVAL), (-22i64) as u64),
            (Err(Errno(Errno::MAX)), (-4095i64) as u64),
        ];
        for (result, register) in cases {
            assert_eq!(Errno::encode(result), register);
            assert_eq!(Errno::decode(register), result);
        }
    }

    #[test]
    fn display_is_the_name() {
        assert_eq!(Errno::EINVAL.to_string(), "EINVAL");
        assert_eq!(format!("{:?}", Errno::ENOSYS), "ENOSYS");
        assert_eq!(Errno(4000).to_string(), "errno 4000");
        assert_eq!(
            Errno::ENOTTY.description(),
            "Inappropriate ioctl for device"
        );
    }

    #[test]
    fn numbers_are_those_of_the_system_headers() {
        let mut compared = 0;
        for path in [
            "/usr/include/asm-generic/errno-base.h",
            "/usr/include/asm-generic/errno.h",
        ] {
            let Ok(header) = std::fs::read_to_string(path) else {
                continue;
            };
            for line in header.lines() {
                let mut words = line.split_whitespace();
                let (Some("#define"), Some(name), Some(number)) =
                    (words.next(), words.next(), words.next())
                else {
                    continue;
                };
                let Ok(number) = number.parse() else { continue };
                assert_eq!(
                    Errno::from_name(name).map(Errno::raw),
                    Some(number),
                    "{name}"
                );
                compared += 1;
            }
        }
        assert!(
            compared == 0 || compared > 100,
            "the headers were there but hardly anything was found in them"
        );
    }
}
