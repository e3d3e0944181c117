//! Dominators and loops of a function: where a store lies on the way to several calls, but not in a loop that its value comes from outside of.
//!
//! Dominators by Cooper, Harvey and Kennedy, "A Simple, Fast Dominance Algorithm" (2001). Loops are natural ones; for others the answer is
//! merely not the best.

use super::ir::{Block, Lookup, Value};

/// Dominators and loops of one function.
#[derive(Debug)]
pub struct Dominance {
    blocks: Vec<Block>,
    number: Lookup<Block, usize>,
    /// The immediate dominator of each block that can be reached, by number; the entry's is itself.
    parent: Vec<Option<usize>>,
    /// Position in reverse postorder.
    order: Vec<usize>,
    /// For each block the heads of the loops that it is in, ascending.
    loops: Vec<Vec<usize>>,
}

impl Dominance {
    /// The dominance of `function` as it is now.
    pub fn of(function: Value) -> Self {
        let blocks = function.blocks();
        let number: Lookup<Block, usize> =
            blocks.iter().enumerate().map(|(k, b)| (*b, k)).collect();
        let successors: Vec<Vec<usize>> = blocks
            .iter()
            .map(|b| {
                let all = b.successors().into_iter();
                all.filter_map(|s| number.get(s).copied()).collect()
            })
            .collect();
        let mut predecessors = vec![Vec::new(); blocks.len()];
        for (k, to) in successors.iter().enumerate() {
            for s in to {
                predecessors[*s].push(k);
            }
        }
        let reverse_postorder = reverse_postorder(&successors);
        let mut order = vec![usize::MAX; blocks.len()];
        for (position, k) in reverse_postorder.iter().enumerate() {
            order[*k] = position;
        }
        let mut dominance = Self {
            parent: vec![None; blocks.len()],
            loops: vec![Vec::new(); blocks.len()],
            blocks,
            number,
            order,
        };
        dominance.find_parents(&reverse_postorder, &predecessors);
        dominance.find_loops(&reverse_postorder, &successors, &predecessors);
        dominance
    }

    /// The block nearest to `uses` that dominates them all, and that is in no loop but those of `definition`, which dominates them too.
    /// None where that cannot be said.
    pub fn before_all(&self, definition: Block, uses: &[Block]) -> Option<Block> {
        let definition = *self.number.get(definition)?;
        let mut at: Option<usize> = None;
        for block in uses {
            let k = *self.number.get(*block)?;
            self.parent[k]?;
            at = Some(at.map_or(Some(k), |a| self.common(a, k))?);
        }
        let mut at = at?;
        let inside = |k: usize| {
            self.loops[k]
                .iter()
                .all(|head| self.loops[definition].contains(head))
        };
        while at != definition && !inside(at) {
            let up = self.parent[at]?;
            if up == at {
                return None;
            }
            at = up;
        }
        Some(self.blocks[at])
    }

    /// How many loops a block is in.
    pub fn depth(&self, block: Block) -> usize {
        let number = self.number.get(block);
        number.map_or(0, |k| self.loops[*k].len())
    }

    /// A set of blocks of which every way round passes one: where edges lead back to. Of a natural loop that is its head.
    pub fn loop_heads(&self) -> Vec<Block> {
        let leads_back = |from: usize, to: usize| {
            self.order[from] != usize::MAX && self.order[to] <= self.order[from]
        };
        let mut heads = vec![false; self.blocks.len()];
        for (from, block) in self.blocks.iter().enumerate() {
            for to in block.successors() {
                if let Some(to) = self.number.get(to).copied() {
                    heads[to] |= leads_back(from, to);
                }
            }
        }
        let all = self.blocks.iter().zip(heads);
        all.filter_map(|(block, is_head)| is_head.then_some(*block))
            .collect()
    }

    fn find_parents(&mut self, reverse_postorder: &[usize], predecessors: &[Vec<usize>]) {
        let Some((entry, rest)) = reverse_postorder.split_first() else {
            return;
        };
        self.parent[*entry] = Some(*entry);
        let mut changed = true;
        while changed {
            changed = false;
            for k in rest {
                let known = predecessors[*k]
                    .iter()
                    .filter(|p| self.parent[**p].is_some());
                let new = known.fold(None, |new, p| match new {
                    None => Some(*p),
                    Some(new) => self.common(new, *p),
                });
                if self.parent[*k] != new {
                    self.parent[*k] = new;
                    changed = true;
                }
            }
        }
    }

    fn common(&self, mut a: usize, mut b: usize) -> Option<usize> {
        while a != b {
            if self.order[a] > self.order[b] {
                a = self.parent[a]?;
            } else {
                b = self.parent[b]?;
            }
        }
        Some(a)
    }

    /// Whether `above` dominates `below`; a block dominates itself, and nothing dominates what is never reached.
    pub fn is_above(&self, above: Block, below: Block) -> bool {
        match (self.number.get(above), self.number.get(below)) {
            (Some(above), Some(below)) => self.dominates(*above, *below),
            _ => false,
        }
    }

    fn dominates(&self, above: usize, below: usize) -> bool {
        self.parent[below].is_some() && self.common(above, below) == Some(above)
    }

    fn find_loops(
        &mut self,
        reverse_postorder: &[usize],
        successors: &[Vec<usize>],
        predecessors: &[Vec<usize>],
    ) {
        for end in reverse_postorder {
            for head in &successors[*end] {
                if self.dominates(*head, *end) {
                    self.add_loop(*head, *end, predecessors);
                }
            }
        }
    }

    /// The loop of the edge from `end` back to `head`: what reaches the one without passing the other.
    fn add_loop(&mut self, head: usize, end: usize, predecessors: &[Vec<usize>]) {
        let mut open = vec![head, end];
        while let Some(k) = open.pop() {
            if let Err(place) = self.loops[k].binary_search(&head) {
                self.loops[k].insert(place, head);
            } else if k != end {
                continue;
            }
            if k != head {
                let next = predecessors[k].iter();
                open.extend(next.filter(|p| self.loops[**p].binary_search(&head).is_err()));
            }
        }
    }
}

fn reverse_postorder(successors: &[Vec<usize>]) -> Vec<usize> {
    let mut seen = vec![false; successors.len()];
    let mut order = Vec::new();
    if successors.is_empty() {
        return order;
    }
    seen[0] = true;
    let mut path = vec![(0, 0)];
    while let Some((k, next)) = path.pop() {
        let Some(s) = successors[k].get(next) else {
            order.push(k);
            continue;
        };
        path.push((k, next + 1));
        if !seen[*s] {
            seen[*s] = true;
            path.push((*s, 0));
        }
    }
    order.reverse();
    order
}
