//! LLVM's stack maps, version 3: of each recorded call the id, the function, and the return address.
//!
//! Locations of values are skipped: our calls record none, that is the point. Format: LLVM 19, docs/StackMaps.rst, "Stack Map Format".

/// One recorded call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// The id given to the call.
    pub id: u64,
    /// Address of the function's first instruction.
    pub function: u64,
    /// Bytes of the function's native frame, without the return address that x86 calls push.
    pub frame_size: u64,
    /// Address of the instruction behind the call.
    pub return_address: u64,
}

const VERSION: u8 = 3;
const LOCATION_SIZE: usize = 12;
const LIVE_OUT_SIZE: usize = 4;

/// A cursor over little-endian numbers.
struct Reader<'a> {
    data: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let end = self.at.saturating_add(N);
        let bytes = self.data.get(self.at..end).and_then(|b| b.try_into().ok());
        self.at = end;
        bytes.ok_or_else(|| format!("the stack map ends in the middle of a record, at byte {end}"))
    }
    fn u16(&mut self) -> Result<usize, String> {
        Ok(u16::from_le_bytes(self.bytes()?).into())
    }
    fn u32(&mut self) -> Result<u32, String> {
        Ok(u32::from_le_bytes(self.bytes()?))
    }
    fn u64(&mut self) -> Result<u64, String> {
        Ok(u64::from_le_bytes(self.bytes()?))
    }
    fn skip(&mut self, bytes: usize) {
        self.at = self.at.saturating_add(bytes);
    }
    fn align(&mut self) {
        self.at = self.at.next_multiple_of(8);
    }
}

/// Parses the contents of `.llvm_stackmaps` of a linked file: one map for each object, one after the other.
pub fn parse(data: &[u8]) -> Result<Vec<Record>, String> {
    let mut reader = Reader { data, at: 0 };
    let mut records = Vec::new();
    while reader.at < data.len() {
        map(&mut reader, &mut records)?;
        reader.align();
    }
    Ok(records)
}

fn map(r: &mut Reader<'_>, records: &mut Vec<Record>) -> Result<(), String> {
    let [version, ..] = r.bytes::<4>()?;
    if version != VERSION {
        return Err(format!(
            "stack map version {version}; LLVM 19 writes version {VERSION}"
        ));
    }
    let (functions, constants, _records) = (r.u32()?, r.u32()?, r.u32()?);
    let mut owners = Vec::new();
    for _ in 0..functions {
        owners.push((r.u64()?, r.u64()?, r.u64()?));
    }
    r.skip(constants as usize * 8);
    for (function, frame_size, count) in owners {
        for _ in 0..count {
            let (id, offset) = (r.u64()?, r.u32()?);
            let (_reserved, locations) = (r.u16()?, r.u16()?);
            r.skip(locations * LOCATION_SIZE);
            r.align();
            let (_padding, live_outs) = (r.u16()?, r.u16()?);
            r.skip(live_outs * LIVE_OUT_SIZE);
            r.align();
            let return_address = function.wrapping_add(offset.into());
            records.push(Record {
                id,
                function,
                frame_size,
                return_address,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A map of one function with one record that has one location and one live-out register.
    fn example() -> Vec<u8> {
        let mut map = vec![VERSION, 0, 0, 0];
        for word in [1u32, 1, 1] {
            map.extend(word.to_le_bytes());
        }
        for word in [0x41_0000u64, 40, 1, 99] {
            map.extend(word.to_le_bytes());
        }
        map.extend(7u64.to_le_bytes());
        map.extend(0x1c_u32.to_le_bytes());
        map.extend([0, 0, 1, 0]);
        map.extend([0xaa; LOCATION_SIZE]);
        map.extend([0; 4]);
        map.extend([0, 0, 1, 0]);
        map.extend([0xbb; LIVE_OUT_SIZE]);
        map
    }

    #[test]
    fn maps_of_several_objects_follow_each_other() {
        let record = Record {
            id: 7,
            function: 0x41_0000,
            frame_size: 40,
            return_address: 0x41_001c,
        };
        assert_eq!(parse(&[]), Ok(vec![]));
        assert_eq!(parse(&example()), Ok(vec![record]));
        let twice = [example(), example()].concat();
        assert_eq!(parse(&twice), Ok(vec![record, record]));
    }

    #[test]
    fn every_cut_is_an_error() {
        let map = example();
        let complete = map.len() - LIVE_OUT_SIZE;
        for len in 1..complete {
            assert!(parse(&map[..len]).is_err(), "cut to {len} bytes");
        }
        let mut newer = map;
        newer[0] = 4;
        assert!(parse(&newer).is_err_and(|e| e.contains("version 4")));
    }
}
