//! Showpieces about data on the heap: lists and trees, walked with hops on the way.

use super::super::Generator;
use super::super::types::Type;

/// A list that is built, reversed, walked by a callback, and freed.
pub fn list(g: &mut Generator, name: &str) {
    let ty = payload(g);
    let c = g.types.name(ty);
    g.text
        .line(format!("struct link {{ struct link *next; {c} item; }};"));
    g.text
        .open("static void walk(struct link *link, void (*visit)(struct link *)) {");
    g.text.line("for (; link; link = link->next) visit(link);");
    g.text.shut("}");
    g.text.open("static void see(struct link *link) {");
    g.mix("link->item", ty);
    if g.draw.chance(60) {
        g.text.line("point();");
    }
    g.text.shut("}");
    g.text.open(format!("static void {name}(void) {{"));
    g.text.line("struct link *first = 0;");
    let length = g.draw.between(1, 12);
    g.text
        .open(format!("for (int k = 0; k < {length}; k++) {{"));
    g.text.line("struct link *link = malloc(sizeof *link);");
    let value = g.expression(ty, 2);
    g.text.line(format!("link->item = {value};"));
    g.text.line("link->next = first;");
    g.text.line("if (k % 4 == 0) point();");
    g.text.line("first = link;");
    g.text.shut("}");
    g.text.line("walk(first, see);");
    g.text.line("struct link *turned = 0;");
    g.text.open("while (first) {");
    g.text.line("struct link *next = first->next;");
    g.text
        .line("first->next = turned; turned = first; first = next;");
    g.text.shut("}");
    g.text.line("walk(turned, see);");
    g.text.open("while (turned) {");
    g.text.line("struct link *next = turned->next;");
    g.text.line("free(turned);");
    g.text.line("turned = next;");
    g.text.shut("}");
    g.text.shut("}");
}

/// A search tree with recursive insertion and sum.
pub fn tree(g: &mut Generator, name: &str) {
    let ty = payload(g);
    let c = g.types.name(ty);
    g.text.line(format!(
        "struct node {{ u32 key; struct node *child[2]; {c} item; }};"
    ));
    g.text.open(format!(
        "static struct node *insert(struct node *node, u32 key, {c} item) {{"
    ));
    g.text.open("if (!node) {");
    g.text
        .line("struct node *fresh = calloc(1, sizeof *fresh);");
    g.text.line("if (key % 4 == 0) point();");
    g.text.line("fresh->key = key; fresh->item = item;");
    g.text.line("return fresh;");
    g.text.shut("}");
    g.text.line("int side = key > node->key;");
    g.text
        .line("node->child[side] = insert(node->child[side], key, item);");
    g.text.line("return node;");
    g.text.shut("}");
    g.text.open("static u64 sum_of(const struct node *node) {");
    g.text.line("if (!node) return 1;");
    g.text.line("if (node->key % 8 == 1) point();");
    g.mix("node->item", ty);
    g.text
        .line("return sum_of(node->child[0]) * 31 + sum_of(node->child[1]) + node->key;");
    g.text.shut("}");
    g.text.open(format!("static void {name}(void) {{"));
    g.text.line("struct node *root = 0;");
    let count = g.draw.between(3, 20);
    let step = g.draw.between(3, 1000) | 1;
    g.text
        .open(format!("for (u32 k = 1; k <= {count}; k++) {{"));
    let value = g.expression(ty, 1);
    g.text
        .line(format!("root = insert(root, k * {step} % 64, {value});"));
    g.text.shut("}");
    g.text.line("mix(sum_of(root));");
    g.text.shut("}");
}

/// What malloc's alignment is enough for.
fn payload(g: &mut Generator) -> Type {
    let structs: Vec<usize> = (0..g.types.structs.len())
        .filter(|s| !g.over_aligned(*s))
        .collect();
    match structs.is_empty() || g.draw.chance(40) {
        true => g.promoted(),
        false => Type::Struct(g.draw.pick(&structs)),
    }
}
