//! What the transformation says of a function's data frame, for the table that debuggers read ([`isa::dataframes`]).

use isa::dataframes::{self, DataFrame, DataFrames, SiteVariables, VariableKey};

use super::frame::{Frame, Locals};
use super::ir::{Ir, Value};
use super::liveness::Liveness;
use super::variables::{At, Place, Variables};

/// A function's data frame. Symbols get their final names later, so they are handles here.
pub struct Described {
    function: Value,
    size: u64,
    saved_dfp: Option<u64>,
    variables: Vec<VariableKey>,
    places: Vec<Place>,
    /// For each recorded call of the function, in their order.
    at_calls: Vec<Vec<Place>>,
}

impl Described {
    /// Describes `function` before it is rewritten.
    pub fn of(
        ir: &Ir<'_>,
        function: Value,
        variables: &Variables,
        locals: &Locals,
        liveness: &Liveness,
        frame: &Frame,
    ) -> Self {
        let at_call = |call| variables.places_at(call, locals, liveness, frame);
        Self {
            function,
            size: frame.size,
            saved_dfp: frame.saved_dfp,
            variables: variables.keys(ir),
            places: variables.fixed_places(locals),
            at_calls: (0..liveness.across.len()).map(at_call).collect(),
        }
    }
}

/// The table of all functions, when their symbols have their final names. Their calls, function by function, are the sites.
pub fn table(functions: &[Described]) -> DataFrames {
    let mut table = DataFrames::default();
    for (number, described) in (0..).zip(functions) {
        table.functions.push(DataFrame {
            name: described.function.name(),
            size: described.size as u32,
            saved_dfp: described.saved_dfp.map(|offset| offset as u32),
            variables: described.variables.clone(),
            places: described.places.iter().map(place).collect(),
        });
        let site = |places: &Vec<Place>| SiteVariables {
            function: number,
            places: places.iter().map(place).collect(),
        };
        table.sites.extend(described.at_calls.iter().map(site));
    }
    table
}

fn place(place: &Place) -> dataframes::Place {
    let in_frame = |offset: u64, align: u64| (offset as u32, align.max(1) as u32);
    dataframes::Place {
        variable: place.variable as u32,
        bits: place.fragment,
        at: match place.at {
            At::Frame(offset, align) => {
                let (offset, align) = in_frame(offset, align);
                dataframes::At::Frame { offset, align }
            }
            At::FrameAddress(offset, align) => {
                let (offset, align) = in_frame(offset, align);
                dataframes::At::FrameAddress { offset, align }
            }
            At::Indirect(offset) => dataframes::At::Indirect(offset as u32),
            At::Global(symbol) => dataframes::At::Global(symbol.name()),
            At::GlobalAddress(symbol) => dataframes::At::GlobalAddress(symbol.name()),
            At::Constant(bits) => dataframes::At::Constant(bits),
        },
    }
}
