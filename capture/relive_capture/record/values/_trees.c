/* Makes value trees: `one` of trees.py for str, int, float, bool, None, lists, tuples, dicts, and for what the
 * walker's other methods give the shape of. Those are asked for everything else: names, secrets, other types.
 *
 * It never calls a line of the user's code: types are told by ob_type alone, and what is looked up in dicts are
 * exact str and int. `trees.py` does the same in Python, and says the same of every value; tests hold it to that.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

#define NODE_BYTES 56
#define LINE 76
#define WIDTH 80
#define PART 28
#define HEAD 3
#define DOTS 0x2026
#define SMALL 1000000000L
#define MAX_CACHE 20000
#define CHECK_EVERY 16

enum { CONSTANT = 4, CONTAINER = 5 }; /* kinds of plans.py */
enum { AS_KEY = 2, AS_FIELD = 3 };    /* parts of a name: label, secret, as a key, as a field */

typedef struct {
    PyObject_HEAD
    PyObject *strings, *ints, *names, *plans, *meter, *node, *indexes, *hides;
    PyObject *none, *yes, *no; /* nodes */
    Py_ssize_t total_bytes;
    /* while a tree is made */
    PyObject *walker, *seen, *path; /* borrowed */
    Py_ssize_t left, breadth, ticks, used;
    size_t spent; /* locals that were counted */
} Trees;

/* Interned texts, made once. */
#define TEXTS(X) \
    X(_left) X(_breadth) X(_ticks) X(_seen) X(_path) X(bytes_used) X(stop) X(check) X(text) X(kind) X(name) X(call) \
    X(total) X(more) X(ref) X(of) X(_plans) X(_name) X(_hidden) X(_plain) X(_shape) X(_hide_named_items) \
    X(_hide_named_value) X(_cut) X(_known) X(type) X(children) X(list) X(tuple) X(dict) X(plain) X(keyed) X(leaf) X(length) X(int) X(float)
#define DECLARE(name) static PyObject *str_##name;
TEXTS(DECLARE)
static PyObject *text_comma, *text_empty, *text_dots;
/* VALUE_KEYS of relive_base.redaction.names, as a line shows them. */
static const char *value_keys[] = {"value", "Value", "v", "val", "ParameterValue"};
#define VALUE_KEYS ((int)(sizeof value_keys / sizeof *value_keys))
static PyObject *text_colon_values[VALUE_KEYS], *text_field_values[VALUE_KEYS];
static PyObject *open_list, *close_list, *open_tuple, *close_tuple, *close_single, *open_dict, *close_dict;
static PyObject *kw_more, *kw_ref;

static PyObject *make_one(Trees *, PyObject *label, PyObject *value, Py_ssize_t depth);

/* ------------------------------------------------------------ small helpers */

static PyObject *
node_leaf(Trees *trees, PyObject *type, PyObject *text)
{
    PyObject *arguments[] = {type, text};
    return PyObject_Vectorcall(trees->node, arguments, 2, NULL);
}

static PyObject *
node_full(Trees *trees, PyObject *type, PyObject *text, PyObject *address, Py_ssize_t length, PyObject *children,
          Py_ssize_t more)
{
    PyObject *node = NULL, *size = PyLong_FromSsize_t(length), *rest = PyLong_FromSsize_t(more);
    if (size != NULL && rest != NULL) {
        if (children != NULL) {
            PyObject *arguments[] = {type, text, address, size, children, rest};
            node = PyObject_Vectorcall(trees->node, arguments, 6, NULL);
        }
        else {
            PyObject *arguments[] = {type, text, address, size, rest};
            node = PyObject_Vectorcall(trees->node, arguments, 4, kw_more);
        }
    }
    Py_XDECREF(size);
    Py_XDECREF(rest);
    return node;
}

static int
get_size(PyObject *owner, PyObject *name, Py_ssize_t *found)
{
    PyObject *value = PyObject_GetAttr(owner, name);
    if (value == NULL) {
        return -1;
    }
    *found = PyLong_AsSsize_t(value);
    Py_DECREF(value);
    return *found == -1 && PyErr_Occurred() ? -1 : 0;
}

static int
set_size(PyObject *owner, PyObject *name, Py_ssize_t value)
{
    PyObject *number = PyLong_FromSsize_t(value);
    if (number == NULL) {
        return -1;
    }
    int done = PyObject_SetAttr(owner, name, number);
    Py_DECREF(number);
    return done;
}

static int
stopped(Trees *trees)
{
    PyObject *stop = PyObject_GetAttr(trees->meter, str_stop);
    if (stop == NULL) {
        return -1;
    }
    int found = PyObject_IsTrue(stop);
    Py_DECREF(stop);
    return found;
}

/* Tell the meter what was used, and have it read the clock. */
static int
flush(Trees *trees)
{
    if (set_size(trees->meter, str_bytes_used, trees->used) < 0) {
        return -1;
    }
    PyObject *done = PyObject_CallMethodNoArgs(trees->meter, str_check);
    Py_XDECREF(done);
    return done == NULL ? -1 : 0;
}

/* Count a container's children. The clock is read every 16th time. */
static int
charge(Trees *trees, Py_ssize_t size, Py_ssize_t count)
{
    trees->used += size + NODE_BYTES * count;
    trees->ticks++;
    if (trees->ticks % CHECK_EVERY && trees->used <= trees->total_bytes) {
        return 0;
    }
    return flush(trees);
}

static PyObject *
index_label(Trees *trees, Py_ssize_t index)
{
    if (index < PyTuple_GET_SIZE(trees->indexes)) {
        return Py_NewRef(PyTuple_GET_ITEM(trees->indexes, index));
    }
    return PyUnicode_FromFormat("[%zd]", index);
}

static int
same_text(PyObject *one, PyObject *other)
{
    return one == other
           || (PyUnicode_GET_LENGTH(one) == PyUnicode_GET_LENGTH(other) && PyUnicode_Compare(one, other) == 0);
}

/* ------------------------------------------------------------ one line for a container */

/* The first characters of a text, dots, and one character after them, if that is not 0. */
static PyObject *
cut_text(PyObject *text, Py_ssize_t count, Py_UCS4 after)
{
    Py_UCS4 widest = DOTS;
    for (Py_ssize_t index = 0; index < count; index++) {
        Py_UCS4 character = PyUnicode_READ_CHAR(text, index);
        widest = character > widest ? character : widest;
    }
    PyObject *found = PyUnicode_New(count + 1 + (after != 0), widest);
    if (found == NULL || PyUnicode_CopyCharacters(found, 0, text, 0, count) < 0
        || PyUnicode_WriteChar(found, count, DOTS) < 0
        || (after && PyUnicode_WriteChar(found, count + 1, after) < 0)) {
        Py_CLEAR(found);
    }
    return found;
}

/* The head of a text: `Order(…)`, `'The quick brown…'`. */
static PyObject *
shorter(PyObject *text)
{
    Py_ssize_t length = PyUnicode_GET_LENGTH(text);
    if (length <= PART) {
        return Py_NewRef(text);
    }
    Py_UCS4 first = PyUnicode_READ_CHAR(text, 0), last = PyUnicode_READ_CHAR(text, length - 1);
    if (last == ')' || last == ']' || last == '}') {
        for (Py_ssize_t index = 0; index < PART; index++) {
            Py_UCS4 character = PyUnicode_READ_CHAR(text, index);
            if (character == '(' || character == '[' || character == '{') {
                return cut_text(text, index + 1, last);
            }
        }
    }
    return cut_text(text, PART - 2, first == '\'' || first == '"' ? first : 0);
}

static int
add_part(PyObject *parts, PyObject *before, PyObject *text, int first)
{
    if (!first && PyList_Append(parts, text_comma) < 0) {
        return -1;
    }
    if (before != NULL && PyList_Append(parts, before) < 0) {
        return -1;
    }
    return PyList_Append(parts, text);
}

/* The children's texts up to the line's width; gives whether some are cut, or -1. */
static int
fill_preview(PyObject *parts, Py_ssize_t size, PyObject *shown, PyObject *texts)
{
    Py_ssize_t count = PyList_GET_SIZE(texts);
    for (Py_ssize_t index = 0; index < count; index++) {
        PyObject *text = Py_NewRef(PyList_GET_ITEM(texts, index));
        PyObject *before = shown == NULL ? NULL : PyList_GET_ITEM(shown, index);
        Py_ssize_t start = size + 2 + (before == NULL ? 0 : PyUnicode_GET_LENGTH(before));
        size = start + PyUnicode_GET_LENGTH(text);
        if (size > WIDTH) {
            Py_SETREF(text, shorter(text));
            if (text == NULL) {
                return -1;
            }
            size = start + PyUnicode_GET_LENGTH(text);
            if (size > WIDTH) {
                Py_DECREF(text);
                return 1;
            }
        }
        int done = add_part(parts, before, text, index == 0);
        Py_DECREF(text);
        if (done < 0) {
            return -1;
        }
    }
    return 0;
}

/* Characters of the children's texts in one line. */
static Py_ssize_t
inner_size(PyObject *shown, PyObject *texts)
{
    Py_ssize_t count = PyList_GET_SIZE(texts), size = count ? 2 * (count - 1) : 0;
    for (Py_ssize_t index = 0; index < count; index++) {
        size += PyUnicode_GET_LENGTH(PyList_GET_ITEM(texts, index));
        if (shown != NULL) {
            size += PyUnicode_GET_LENGTH(PyList_GET_ITEM(shown, index));
        }
    }
    return size;
}

static PyObject *
line_of(PyObject *open, PyObject *close, PyObject *shown, PyObject *texts, Py_ssize_t size, int more)
{
    PyObject *parts = PyList_New(0), *line = NULL;
    if (parts == NULL || PyList_Append(parts, open) < 0) {
        goto done;
    }
    if (more || size > LINE) {
        int cut = fill_preview(parts, PyUnicode_GET_LENGTH(open) + PyUnicode_GET_LENGTH(close), shown, texts);
        if (cut < 0 || ((cut || more) && add_part(parts, NULL, text_dots, PyList_GET_SIZE(parts) == 1) < 0)) {
            goto done;
        }
    }
    else {
        for (Py_ssize_t index = 0; index < PyList_GET_SIZE(texts); index++) {
            PyObject *before = shown == NULL ? NULL : PyList_GET_ITEM(shown, index);
            if (add_part(parts, before, PyList_GET_ITEM(texts, index), index == 0) < 0) {
                goto done;
            }
        }
    }
    if (PyList_Append(parts, close) == 0) {
        line = PyUnicode_Join(text_empty, parts);
    }
done:
    Py_XDECREF(parts);
    return line;
}

/* ------------------------------------------------------------ children */

/* A node of a text or a small number that was made before, or of a small number; new reference. NULL without an
 * error: there is none. */
static PyObject *
quick(Trees *trees, PyObject *value)
{
    PyTypeObject *cls = Py_TYPE(value);
    if (cls == &PyUnicode_Type) {
        return Py_XNewRef(PyDict_GetItemWithError(trees->strings, value));
    }
    if (cls == &PyLong_Type) {
        PyObject *known = PyDict_GetItemWithError(trees->ints, value);
        if (known != NULL || PyErr_Occurred()) {
            return Py_XNewRef(known);
        }
        int overflow;
        long number = PyLong_AsLongAndOverflow(value, &overflow);
        if (overflow || number <= -SMALL || number >= SMALL) {
            return NULL;
        }
        PyObject *text = PyObject_Repr(value);
        PyObject *node = text == NULL ? NULL : node_leaf(trees, str_int, text);
        Py_XDECREF(text);
        if (node != NULL && PyDict_GET_SIZE(trees->ints) < MAX_CACHE
            && PyDict_SetItem(trees->ints, value, node) < 0) {
            Py_CLEAR(node);
        }
        return node;
    }
    if (cls == &PyFloat_Type) {
        PyObject *text = PyObject_Repr(value);
        PyObject *node = text == NULL ? NULL : node_leaf(trees, str_float, text);
        Py_XDECREF(text);
        return node;
    }
    if (value == Py_None) {
        return Py_NewRef(trees->none);
    }
    if (cls == &PyBool_Type) {
        return Py_NewRef(value == Py_True ? trees->yes : trees->no);
    }
    return NULL;
}

/* Add a child's text to `texts`. */
static int
add_text(PyObject *texts, PyObject *node)
{
    PyObject *text = PyObject_GetAttr(node, str_text);
    if (text == NULL || !PyUnicode_CheckExact(text)) {
        Py_XDECREF(text);
        if (!PyErr_Occurred()) {
            PyErr_SetString(PyExc_TypeError, "a node's text must be a str");
        }
        return -1;
    }
    int done = PyList_Append(texts, text);
    Py_DECREF(text);
    return done;
}

/* Nodes and texts of what has no names. */
static int
add_values(Trees *trees, PyObject *items, Py_ssize_t depth, PyObject *nodes, PyObject *texts)
{
    for (Py_ssize_t index = 0; index < PyList_GET_SIZE(items); index++) {
        PyObject *value = Py_NewRef(PyList_GET_ITEM(items, index));
        PyObject *node = quick(trees, value);
        if (node == NULL && !PyErr_Occurred()) {
            PyObject *label = index_label(trees, index);
            node = label == NULL ? NULL : make_one(trees, label, value, depth);
            Py_XDECREF(label);
        }
        Py_DECREF(value);
        int done = node == NULL || PyList_Append(nodes, node) < 0 || add_text(texts, node) < 0;
        Py_XDECREF(node);
        if (done) {
            return -1;
        }
    }
    return 0;
}

/* The label of a key, how secret it makes what is under it, and how lines show it; new reference. */
static PyObject *
name_of(Trees *trees, PyObject *key)
{
    PyObject *name = NULL;
    if (PyUnicode_CheckExact(key)) {
        name = Py_XNewRef(PyDict_GetItemWithError(trees->names, key));
        if (name == NULL && PyErr_Occurred()) {
            return NULL;
        }
    }
    if (name == NULL) {
        name = PyObject_CallMethodOneArg(trees->walker, str__name, key);
    }
    if (name != NULL && (!PyTuple_CheckExact(name) || PyTuple_GET_SIZE(name) != 4)) {
        Py_CLEAR(name);
        PyErr_SetString(PyExc_TypeError, "a name has four parts");
    }
    return name;
}

/* Whether what a name says of secrets hides the value under it; -1: an error. */
static int
hides(Trees *trees, PyObject *secret, PyObject *value)
{
    if (!PyUnicode_CheckExact(secret) || !PyUnicode_GET_LENGTH(secret)) {
        return 0;
    }
    PyObject *arguments[] = {secret, value};
    PyObject *found = PyObject_Vectorcall(trees->hides, arguments, 2, NULL);
    int hidden = found == NULL ? -1 : PyObject_IsTrue(found);
    Py_XDECREF(found);
    return hidden;
}

/* The node of a value that goes under a name; new reference. */
static PyObject *
named_value(Trees *trees, PyObject *name, PyObject *value, Py_ssize_t depth)
{
    PyObject *label = PyTuple_GET_ITEM(name, 0);
    int hidden = hides(trees, PyTuple_GET_ITEM(name, 1), value);
    if (hidden) {
        return hidden < 0 ? NULL : PyObject_CallMethodObjArgs(trees->walker, str__hidden, label, value, NULL);
    }
    PyObject *node = quick(trees, value);
    return node != NULL || PyErr_Occurred() ? node : make_one(trees, label, value, depth);
}

static int
add_pair(Trees *trees, PyObject *item, Py_ssize_t depth, int form, PyObject *children, PyObject *shown,
         PyObject *texts)
{
    PyObject *name = name_of(trees, PyTuple_GET_ITEM(item, 0)), *node = NULL, *child = NULL;
    int done = -1;
    if (name != NULL) {
        node = named_value(trees, name, PyTuple_GET_ITEM(item, 1), depth);
    }
    if (node != NULL) {
        child = PyTuple_Pack(2, PyTuple_GET_ITEM(name, 0), node);
    }
    if (child != NULL && PyList_Append(children, child) == 0
        && PyList_Append(shown, PyTuple_GET_ITEM(name, form)) == 0) {
        done = add_text(texts, node);
    }
    Py_XDECREF(child);
    Py_XDECREF(node);
    Py_XDECREF(name);
    return done;
}

/* Children, labels as a line shows them, and texts of what has names. */
static int
add_pairs(Trees *trees, PyObject *items, Py_ssize_t depth, int form, PyObject *children, PyObject *shown,
          PyObject *texts)
{
    PyObject **value_labels = form == AS_KEY ? text_colon_values : text_field_values;
    int has_value = 0;
    for (Py_ssize_t index = 0; index < PyList_GET_SIZE(items); index++) {
        PyObject *item = PyList_GET_ITEM(items, index);
        if (!PyTuple_CheckExact(item) || PyTuple_GET_SIZE(item) != 2) {
            PyErr_SetString(PyExc_TypeError, "an item has two parts");
            return -1;
        }
        Py_INCREF(item);
        int done = add_pair(trees, item, depth, form, children, shown, texts);
        Py_DECREF(item);
        if (done < 0) {
            return -1;
        }
        for (int key = 0; key < VALUE_KEYS && !has_value; key++) {
            has_value = same_text(PyList_GET_ITEM(shown, index), value_labels[key]);
        }
    }
    if (has_value) {
        PyObject *hidden = PyObject_CallMethodObjArgs(trees->walker, str__hide_named_value, items, children, texts,
                                                      NULL);
        Py_XDECREF(hidden);
        return hidden == NULL ? -1 : 0;
    }
    return 0;
}

/* Whether one of the values may be the name of another. */
static int
may_name(PyObject *items, PyObject *texts, Py_ssize_t length)
{
    if (PyList_GET_SIZE(items) < 2) {
        return 0;
    }
    PyTypeObject *first = Py_TYPE(PyList_GET_ITEM(items, 0));
    if (length == 2 && (first == &PyUnicode_Type || first == &PyBytes_Type)) {
        return 1;
    }
    for (Py_ssize_t index = 0; index < PyList_GET_SIZE(texts); index++) {
        PyObject *text = PyList_GET_ITEM(texts, index);
        if (PyUnicode_GET_LENGTH(text) > 1 && PyUnicode_READ_CHAR(text, 0) == '\''
            && PyUnicode_READ_CHAR(text, 1) == '-') {
            return 1;
        }
    }
    return 0;
}

static int
hide_named_items(Trees *trees, PyObject *items, PyObject *nodes, PyObject *texts, Py_ssize_t length)
{
    if (!may_name(items, texts, length)) {
        return 0;
    }
    PyObject *size = PyLong_FromSsize_t(length);
    PyObject *hidden = size == NULL ? NULL
                                    : PyObject_CallMethodObjArgs(trees->walker, str__hide_named_items, items,
                                                                 nodes, texts, size, NULL);
    Py_XDECREF(size);
    Py_XDECREF(hidden);
    return hidden == NULL ? -1 : 0;
}

/* Children by their indexes. */
static int
add_indexed(Trees *trees, PyObject *nodes, PyObject *children)
{
    for (Py_ssize_t index = 0; index < PyList_GET_SIZE(nodes); index++) {
        PyObject *label = index_label(trees, index);
        PyObject *child = label == NULL ? NULL : PyTuple_Pack(2, label, PyList_GET_ITEM(nodes, index));
        Py_XDECREF(label);
        int done = child == NULL ? -1 : PyList_Append(children, child);
        Py_XDECREF(child);
        if (done < 0) {
            return -1;
        }
    }
    return 0;
}

/* ------------------------------------------------------------ values with children */

typedef struct {
    PyObject *name, *open, *close, *style, *items; /* owned */
    Py_ssize_t length, total;
} Shape;

static void
clear_shape(Shape *shape)
{
    Py_CLEAR(shape->name);
    Py_CLEAR(shape->open);
    Py_CLEAR(shape->close);
    Py_CLEAR(shape->style);
    Py_CLEAR(shape->items);
}

static PyObject *
dict_items(PyObject *dict, Py_ssize_t limit)
{
    PyObject *items = PyList_New(0), *key, *value;
    Py_ssize_t position = 0;
    while (items != NULL && PyList_GET_SIZE(items) < limit && PyDict_Next(dict, &position, &key, &value)) {
        Py_INCREF(key); /* to make a tuple may run the collector */
        Py_INCREF(value);
        PyObject *item = PyTuple_Pack(2, key, value);
        if (item == NULL || PyList_Append(items, item) < 0) {
            Py_CLEAR(items);
        }
        Py_XDECREF(item);
        Py_DECREF(key);
        Py_DECREF(value);
    }
    return items;
}

static PyObject *
first_values(PyObject *from, Py_ssize_t limit)
{
    PyObject *items = PyList_New(0);
    for (Py_ssize_t index = 0; items != NULL && index < limit && index < PySequence_Fast_GET_SIZE(from); index++) {
        if (PyList_Append(items, PySequence_Fast_GET_ITEM(from, index)) < 0) {
            Py_CLEAR(items);
        }
    }
    return items;
}

/* The shape of an exact list, tuple or dict. */
static void
own_shape(PyObject *value, Py_ssize_t limit, Shape *shape)
{
    if (PyDict_CheckExact(value)) {
        shape->name = Py_NewRef(str_dict);
        shape->open = Py_NewRef(open_dict);
        shape->close = Py_NewRef(close_dict);
        shape->style = Py_NewRef(str_keyed);
        shape->length = PyDict_GET_SIZE(value);
        shape->items = dict_items(value, limit);
    }
    else {
        int list = PyList_CheckExact(value);
        shape->name = Py_NewRef(list ? str_list : str_tuple);
        shape->open = Py_NewRef(list ? open_list : open_tuple);
        shape->close = Py_NewRef(list ? close_list : PyTuple_GET_SIZE(value) == 1 ? close_single : close_tuple);
        shape->style = Py_NewRef(str_plain);
        shape->length = PySequence_Fast_GET_SIZE(value);
        shape->items = first_values(value, limit);
    }
    shape->total = shape->length;
}

/* The shape that the walker finds. */
static int
asked_shape(Trees *trees, PyObject *value, PyObject *plan, Py_ssize_t limit, Shape *shape)
{
    PyObject *most = PyLong_FromSsize_t(limit);
    PyObject *found = most == NULL ? NULL
                                   : PyObject_CallMethodObjArgs(trees->walker, str__shape, value, plan, most, NULL);
    Py_XDECREF(most);
    if (found == NULL) {
        return -1;
    }
    int done = -1;
    if (!PyTuple_CheckExact(found) || PyTuple_GET_SIZE(found) != 5 || !PyList_CheckExact(PyTuple_GET_ITEM(found, 4))
        || !PyUnicode_CheckExact(PyTuple_GET_ITEM(found, 0)) || !PyUnicode_CheckExact(PyTuple_GET_ITEM(found, 1))
        || !PyUnicode_CheckExact(PyTuple_GET_ITEM(found, 2))) {
        PyErr_SetString(PyExc_TypeError, "a shape has five parts");
    }
    else {
        shape->open = Py_NewRef(PyTuple_GET_ITEM(found, 0));
        shape->close = Py_NewRef(PyTuple_GET_ITEM(found, 1));
        shape->style = Py_NewRef(PyTuple_GET_ITEM(found, 2));
        shape->length = PyLong_AsSsize_t(PyTuple_GET_ITEM(found, 3));
        shape->items = Py_NewRef(PyTuple_GET_ITEM(found, 4));
        shape->name = PyObject_GetAttr(plan, str_name);
        if (shape->name != NULL && !(shape->length == -1 && PyErr_Occurred())) {
            shape->total = shape->length;
            done = shape->length >= 0 ? 0 : get_size(plan, str_total, &shape->total);
        }
    }
    Py_DECREF(found);
    return done;
}

/* A ref to what is in the same tree; None: it is still being walked, so it contains itself. */
static PyObject *
again(Trees *trees, PyObject *known, PyObject *name, PyObject *address)
{
    PyObject *text, *length = NULL, *node = NULL;
    if (known == Py_None) {
        text = PyUnicode_FromFormat("<%U>", name);
        length = PyLong_FromLong(-1);
    }
    else {
        text = PyObject_GetAttr(known, str_text);
        length = text == NULL ? NULL : PyObject_GetAttr(known, str_length);
    }
    if (text != NULL && length != NULL) {
        PyObject *arguments[] = {name, text, address, length, Py_True};
        node = PyObject_Vectorcall(trees->node, arguments, 4, kw_ref);
    }
    Py_XDECREF(text);
    Py_XDECREF(length);
    return node;
}

/* The node of a value whose shape is known. */
static PyObject *
shaped(Trees *trees, Shape *shape, PyObject *address, Py_ssize_t depth, int walked)
{
    if (same_text(shape->style, str_leaf)) {
        PyObject *text = PyUnicode_Concat(shape->open, shape->close), *node = NULL;
        PyObject *length = text == NULL ? NULL : PyLong_FromSsize_t(shape->length);
        if (length != NULL) {
            PyObject *arguments[] = {shape->name, text, address, length};
            node = PyObject_Vectorcall(trees->node, arguments, 4, NULL);
        }
        Py_XDECREF(text);
        Py_XDECREF(length);
        return node;
    }
    if (walked) {
        if (PyDict_SetItem(trees->seen, address, Py_None) < 0) {
            return NULL;
        }
        trees->left -= PyList_GET_SIZE(shape->items);
    }
    Py_ssize_t below = walked ? depth - 1 : -1;
    PyObject *texts = PyList_New(0), *children = PyList_New(0), *others = PyList_New(0);
    PyObject *shown = NULL, *text = NULL, *node = NULL;
    if (texts == NULL || children == NULL || others == NULL) {
        goto done;
    }
    if (same_text(shape->style, str_plain)) {
        if (add_values(trees, shape->items, below, others, texts) < 0
            || hide_named_items(trees, shape->items, others, texts, shape->length) < 0
            || (walked && add_indexed(trees, others, children) < 0)) {
            goto done;
        }
    }
    else {
        shown = others;
        int form = same_text(shape->style, str_keyed) ? AS_KEY : AS_FIELD;
        if (add_pairs(trees, shape->items, below, form, children, shown, texts) < 0) {
            goto done;
        }
    }
    Py_ssize_t count = PyList_GET_SIZE(texts), size = inner_size(shown, texts);
    Py_ssize_t more = shape->total > count ? shape->total - count : 0;
    text = line_of(shape->open, shape->close, shown, texts, size, more > 0);
    if (text == NULL) {
        goto done;
    }
    if (!walked) {
        node = node_full(trees, shape->name, text, address, shape->length, NULL, shape->total > 0 ? shape->total : 0);
        goto done;
    }
    if (charge(trees, size, count) == 0) {
        node = node_full(trees, shape->name, text, address, shape->length, children, more);
    }
    if (node != NULL && PyDict_SetItem(trees->seen, address, node) < 0) {
        Py_CLEAR(node);
    }
done:
    Py_XDECREF(texts);
    Py_XDECREF(children);
    Py_XDECREF(others);
    Py_XDECREF(text);
    return node;
}

/* A value with children: a tree down to `depth`, below it one line that shows the first of them. `plan` is NULL of
 * exact lists, tuples and dicts. */
static PyObject *
compound(Trees *trees, PyObject *value, PyObject *plan, Py_ssize_t depth)
{
    PyObject *address = PyLong_FromVoidPtr(value), *node = NULL;
    if (address == NULL) {
        return NULL;
    }
    Shape shape = {NULL, NULL, NULL, NULL, NULL, -1, -1};
    PyObject *known = PyDict_GetItemWithError(trees->seen, address);
    if (known != NULL) {
        Py_INCREF(known);
        PyObject *name = plan != NULL ? PyObject_GetAttr(plan, str_name)
                                      : Py_NewRef(PyDict_CheckExact(value)   ? str_dict
                                                  : PyList_CheckExact(value) ? str_list
                                                                             : str_tuple);
        node = name == NULL ? NULL : again(trees, known, name, address);
        Py_XDECREF(name);
        Py_DECREF(known);
        goto done;
    }
    int stop = PyErr_Occurred() ? -1 : stopped(trees);
    if (stop < 0) {
        goto done;
    }
    int walked = !stop && depth > 0 && trees->left > 0;
    Py_ssize_t limit = stop || depth < 0 ? 0 : HEAD;
    if (walked) {
        limit = trees->left >= trees->breadth ? trees->breadth : trees->left;
    }
    if (plan == NULL) {
        own_shape(value, limit, &shape);
    }
    else if (asked_shape(trees, value, plan, limit, &shape) < 0) {
        goto done;
    }
    if (shape.items != NULL) {
        node = shaped(trees, &shape, address, depth, walked);
    }
done:
    clear_shape(&shape);
    Py_DECREF(address);
    return node;
}

/* ------------------------------------------------------------ one value */

/* The plan of a type; new reference. */
static PyObject *
plan_of(Trees *trees, PyTypeObject *cls)
{
    PyObject *address = PyLong_FromVoidPtr(cls);
    if (address == NULL) {
        return NULL;
    }
    PyObject *plan = Py_XNewRef(PyDict_GetItemWithError(trees->plans, address));
    Py_DECREF(address);
    if (plan != NULL || PyErr_Occurred()) {
        return plan;
    }
    PyObject *plans = PyObject_GetAttr(trees->walker, str__plans);
    if (plans != NULL) {
        plan = PyObject_CallMethodOneArg(plans, str_of, (PyObject *)cls);
        Py_DECREF(plans);
    }
    return plan;
}

static PyObject *
planned(Trees *trees, PyObject *value, PyObject *plan)
{
    PyObject *name = PyObject_GetAttr(plan, str_name), *call = NULL, *text = NULL, *node = NULL;
    if (name != NULL) {
        call = PyObject_GetAttr(plan, str_call);
    }
    if (call != NULL) {
        text = PyObject_CallOneArg(call, value);
    }
    if (text != NULL) {
        node = node_leaf(trees, name, text);
    }
    Py_XDECREF(name);
    Py_XDECREF(call);
    Py_XDECREF(text);
    return node;
}

/* In place of an error: a C accessor may refuse an object in an odd state; that is worth a text. */
static PyObject *
unreadable(Trees *trees, PyTypeObject *cls, PyObject *plan)
{
    if (!PyErr_ExceptionMatches(PyExc_Exception)) {
        return NULL;
    }
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    PyObject *name = plan == NULL ? PyType_GetName(cls) : PyObject_GetAttr(plan, str_name), *text = NULL, *node = NULL;
    PyObject *error = name == NULL ? NULL : PyType_GetName((PyTypeObject *)type);
    if (error != NULL) {
        text = PyUnicode_FromFormat("<%U: not readable, %U>", name, error);
    }
    if (text != NULL) {
        node = node_leaf(trees, name, text);
    }
    Py_XDECREF(name);
    Py_XDECREF(error);
    Py_XDECREF(text);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(trace);
    return node;
}

static PyObject *
make_one(Trees *trees, PyObject *label, PyObject *value, Py_ssize_t depth)
{
    PyTypeObject *cls = Py_TYPE(value);
    int own = cls == &PyDict_Type || cls == &PyList_Type || cls == &PyTuple_Type;
    PyObject *plan = own ? NULL : plan_of(trees, cls), *node = NULL;
    Py_ssize_t kind = CONTAINER;
    if ((!own && (plan == NULL || get_size(plan, str_kind, &kind) < 0)) || PyList_Append(trees->path, label) < 0) {
        Py_XDECREF(plan);
        return NULL;
    }
    if (kind >= CONTAINER) {
        node = compound(trees, value, plan, depth);
    }
    else if (kind == CONSTANT) {
        node = planned(trees, value, plan);
    }
    else {
        node = PyObject_CallMethodObjArgs(trees->walker, str__plain, value, plan, NULL);
    }
    if (node == NULL) {
        node = unreadable(trees, cls, plan);
    }
    Py_XDECREF(plan);
    Py_ssize_t size = PyList_GET_SIZE(trees->path);
    if (node != NULL && size && PyList_SetSlice(trees->path, size - 1, size, NULL) < 0) {
        Py_CLEAR(node);
    }
    return node;
}

static int
begin(Trees *trees, PyObject *walker)
{
    trees->walker = walker;
    trees->seen = PyObject_GetAttr(walker, str__seen);
    trees->path = PyObject_GetAttr(walker, str__path);
    if (trees->seen == NULL || trees->path == NULL || get_size(walker, str__left, &trees->left) < 0
        || get_size(walker, str__breadth, &trees->breadth) < 0 || get_size(walker, str__ticks, &trees->ticks) < 0
        || get_size(trees->meter, str_bytes_used, &trees->used) < 0) {
        return -1;
    }
    if (!PyDict_CheckExact(trees->seen) || !PyList_CheckExact(trees->path)) {
        PyErr_SetString(PyExc_TypeError, "a walker has a dict and a list");
        return -1;
    }
    return 0;
}

static int
end(Trees *trees)
{
    return set_size(trees->walker, str__left, trees->left) < 0
                   || set_size(trees->walker, str__ticks, trees->ticks) < 0
                   || set_size(trees->meter, str_bytes_used, trees->used) < 0
               ? -1
               : 0;
}

/* What a local of a frame is shown as that has nothing inside, or that must not be shown; None of the others. New
 * reference. */
static PyObject *
plain_local(Trees *trees, PyObject *label, PyObject *value)
{
    PyObject *name = name_of(trees, label), *node = NULL;
    if (name == NULL) {
        return NULL;
    }
    int hidden = hides(trees, PyTuple_GET_ITEM(name, 1), value);
    Py_DECREF(name);
    if (hidden) {
        return hidden < 0 ? NULL : PyObject_CallMethodObjArgs(trees->walker, str__hidden, label, value, NULL);
    }
    node = quick(trees, value);
    if (node != NULL || PyErr_Occurred()) {
        return node;
    }
    PyTypeObject *cls = Py_TYPE(value);
    if (cls == &PyDict_Type || cls == &PyList_Type || cls == &PyTuple_Type) {
        return Py_NewRef(Py_None);
    }
    PyObject *plan = plan_of(trees, cls);
    Py_ssize_t kind = 0;
    int known = plan == NULL ? -1 : get_size(plan, str_kind, &kind);
    Py_XDECREF(plan);
    if (known < 0) {
        return NULL;
    }
    return kind >= CONTAINER ? Py_NewRef(Py_None) : make_one(trees, label, value, 0);
}

/* Count a local's node. The clock is read every 32nd time; if there is no time left, the walker cuts the text.
 * Takes the reference. */
static PyObject *
counted(Trees *trees, PyObject *node)
{
    int stop = stopped(trees);
    if (stop > 0) {
        Py_SETREF(node, PyObject_CallMethodOneArg(trees->walker, str__cut, node));
    }
    PyObject *text = stop < 0 || node == NULL ? NULL : PyObject_GetAttr(node, str_text);
    if (text == NULL || !PyUnicode_CheckExact(text)) {
        Py_XDECREF(text);
        Py_XDECREF(node);
        if (!PyErr_Occurred()) {
            PyErr_SetString(PyExc_TypeError, "a node's text must be a str");
        }
        return NULL;
    }
    trees->used += NODE_BYTES + PyUnicode_GET_LENGTH(text);
    Py_DECREF(text);
    if ((++trees->spent % 32 == 0 || trees->used > trees->total_bytes) && flush(trees) < 0) {
        Py_CLEAR(node);
    }
    return node;
}

static PyObject *
plain_locals(Trees *trees, PyObject *items)
{
    PyObject *nodes = PyList_New(0);
    for (Py_ssize_t index = 0; nodes != NULL && index < PyList_GET_SIZE(items); index++) {
        PyObject *item = PyList_GET_ITEM(items, index), *node = NULL;
        if (!PyTuple_CheckExact(item) || PyTuple_GET_SIZE(item) != 2) {
            PyErr_SetString(PyExc_TypeError, "an item has two parts");
        }
        else {
            Py_INCREF(item);
            node = plain_local(trees, PyTuple_GET_ITEM(item, 0), PyTuple_GET_ITEM(item, 1));
            Py_DECREF(item);
        }
        if (node != NULL && node != Py_None) {
            node = counted(trees, node);
        }
        if (node == NULL || PyList_Append(nodes, node) < 0) {
            Py_CLEAR(nodes);
        }
        Py_XDECREF(node);
    }
    return nodes;
}

static PyObject *
Trees_plainly(Trees *trees, PyObject *const *arguments, Py_ssize_t count)
{
    if (count != 2 || trees->walker != NULL || !PyList_CheckExact(arguments[1])) {
        PyErr_SetString(PyExc_TypeError, "plainly(walker, items), one at a time");
        return NULL;
    }
    PyObject *nodes = NULL;
    if (begin(trees, arguments[0]) == 0) {
        nodes = plain_locals(trees, arguments[1]);
        if (nodes != NULL && end(trees) < 0) {
            Py_CLEAR(nodes);
        }
    }
    Py_CLEAR(trees->seen);
    Py_CLEAR(trees->path);
    trees->walker = NULL;
    return nodes;
}

/* Whether a tree is all there, so that it may be referred to; -1: an error. */
static int
is_whole(Trees *trees, PyObject *node)
{
    PyObject *children = PyObject_GetAttr(node, str_children);
    if (children == NULL) {
        return -1;
    }
    int any = PyList_CheckExact(children) && PyList_GET_SIZE(children) > 0;
    Py_DECREF(children);
    if (!any || trees->left <= 0) {
        return 0;
    }
    int stop = stopped(trees);
    return stop < 0 ? -1 : !stop;
}

/* A local with everything below it, or a ref to it if an earlier frame has it. `known`: by address, the depth and
 * the tree. */
static PyObject *
local_node(Trees *trees, PyObject *known, PyObject *name, PyObject *value, PyObject *depth)
{
    PyObject *address = PyLong_FromVoidPtr(value), *node = NULL, *entry;
    Py_ssize_t levels = PyLong_AsSsize_t(depth);
    if (address == NULL || (levels == -1 && PyErr_Occurred())) {
        goto done;
    }
    entry = PyDict_GetItemWithError(known, address);
    if (entry == NULL && PyErr_Occurred()) {
        goto done;
    }
    if (entry != NULL && PyLong_AsSsize_t(PyTuple_GET_ITEM(entry, 0)) >= levels) {
        PyObject *tree = Py_NewRef(PyTuple_GET_ITEM(entry, 1)), *type = PyObject_GetAttr(tree, str_type);
        node = type == NULL ? NULL : again(trees, tree, type, address);
        Py_XDECREF(type);
        Py_DECREF(tree);
        goto done;
    }
    Py_SETREF(trees->seen, PyDict_New());
    node = trees->seen == NULL ? NULL : make_one(trees, name, value, levels);
    int whole = node == NULL ? 0 : is_whole(trees, node);
    if (whole) {
        entry = whole < 0 ? NULL : PyTuple_Pack(2, depth, node);
        if (entry == NULL || PyDict_SetItem(known, address, entry) < 0) {
            Py_CLEAR(node);
        }
        Py_XDECREF(entry);
    }
done:
    Py_XDECREF(address);
    return node == NULL ? NULL : counted(trees, node);
}

static PyObject *
Trees_local(Trees *trees, PyObject *const *arguments, Py_ssize_t count)
{
    if (count != 4 || trees->walker != NULL || !PyLong_CheckExact(arguments[3])) {
        PyErr_SetString(PyExc_TypeError, "local(walker, name, value, depth), one at a time");
        return NULL;
    }
    PyObject *node = NULL, *known = PyObject_GetAttr(arguments[0], str__known);
    if (known != NULL && PyDict_CheckExact(known) && begin(trees, arguments[0]) == 0) {
        node = local_node(trees, known, arguments[1], arguments[2], arguments[3]);
        if (node != NULL && end(trees) < 0) {
            Py_CLEAR(node);
        }
    }
    Py_XDECREF(known);
    Py_CLEAR(trees->seen);
    Py_CLEAR(trees->path);
    trees->walker = NULL;
    return node;
}

static PyObject *
Trees_one(Trees *trees, PyObject *const *arguments, Py_ssize_t count)
{
    if (count != 4 || trees->walker != NULL) {
        PyErr_SetString(PyExc_TypeError, "one(walker, label, value, depth), one at a time");
        return NULL;
    }
    Py_ssize_t depth = PyLong_AsSsize_t(arguments[3]);
    if (depth == -1 && PyErr_Occurred()) {
        return NULL;
    }
    PyObject *node = NULL;
    if (begin(trees, arguments[0]) == 0) {
        node = make_one(trees, arguments[1], arguments[2], depth);
        if (node != NULL && end(trees) < 0) {
            Py_CLEAR(node);
        }
    }
    Py_CLEAR(trees->seen);
    Py_CLEAR(trees->path);
    trees->walker = NULL;
    return node;
}

/* ------------------------------------------------------------ the module */

static PyObject *
Trees_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    PyObject *strings, *ints, *names, *plans, *meter, *node, *indexes, *hides;
    Py_ssize_t total_bytes;
    if (!PyArg_ParseTuple(args, "O!O!O!O!OOO!On", &PyDict_Type, &strings, &PyDict_Type, &ints, &PyDict_Type, &names,
                          &PyDict_Type, &plans, &meter, &node, &PyTuple_Type, &indexes, &hides, &total_bytes)) {
        return NULL;
    }
    Trees *trees = (Trees *)type->tp_alloc(type, 0);
    if (trees == NULL) {
        return NULL;
    }
    trees->strings = Py_NewRef(strings);
    trees->ints = Py_NewRef(ints);
    trees->names = Py_NewRef(names);
    trees->plans = Py_NewRef(plans);
    trees->meter = Py_NewRef(meter);
    trees->node = Py_NewRef(node);
    trees->indexes = Py_NewRef(indexes);
    trees->hides = Py_NewRef(hides);
    trees->total_bytes = total_bytes;
    trees->none = PyObject_CallFunction(node, "ss", "NoneType", "None");
    trees->yes = PyObject_CallFunction(node, "ss", "bool", "True");
    trees->no = PyObject_CallFunction(node, "ss", "bool", "False");
    if (trees->none == NULL || trees->yes == NULL || trees->no == NULL) {
        Py_CLEAR(trees);
    }
    return (PyObject *)trees;
}

static void
Trees_dealloc(Trees *trees)
{
    Py_XDECREF(trees->strings);
    Py_XDECREF(trees->ints);
    Py_XDECREF(trees->names);
    Py_XDECREF(trees->plans);
    Py_XDECREF(trees->meter);
    Py_XDECREF(trees->node);
    Py_XDECREF(trees->indexes);
    Py_XDECREF(trees->hides);
    Py_XDECREF(trees->none);
    Py_XDECREF(trees->yes);
    Py_XDECREF(trees->no);
    Py_TYPE(trees)->tp_free((PyObject *)trees);
}

static PyMethodDef Trees_methods[] = {
    {"one", (PyCFunction)(void (*)(void))Trees_one, METH_FASTCALL,
     "one(walker, label, value, depth) -> ValueNode: the node of one value; whoever calls has counted it."},
    {"local", (PyCFunction)(void (*)(void))Trees_local, METH_FASTCALL,
     "local(walker, name, value, depth) -> ValueNode: a frame's local, or a ref to it; counted."},
    {"plainly", (PyCFunction)(void (*)(void))Trees_plainly, METH_FASTCALL,
     "plainly(walker, items) -> nodes of a frame's locals; None of those that have something inside."},
    {NULL, NULL, 0, NULL},
};

static PyTypeObject Trees_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "relive_capture.record.values._trees.Trees",
    .tp_basicsize = sizeof(Trees),
    .tp_new = Trees_new,
    .tp_dealloc = (destructor)Trees_dealloc,
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_doc = "Trees(strings, ints, names, plans, meter, node, indexes, hides, total_bytes): of one walker.",
    .tp_methods = Trees_methods,
};

static struct PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_trees",
    .m_doc = "Makes value trees; see trees.py.",
    .m_size = -1,
};

static int
make_texts(void)
{
#define INTERN(name) \
    if ((str_##name = PyUnicode_InternFromString(#name)) == NULL) { \
        return -1; \
    }
    TEXTS(INTERN)
    text_comma = PyUnicode_InternFromString(", ");
    text_empty = PyUnicode_InternFromString("");
    text_dots = PyUnicode_InternFromString("\xe2\x80\xa6");
    for (int key = 0; key < VALUE_KEYS; key++) {
        text_colon_values[key] = PyUnicode_FromFormat("'%s': ", value_keys[key]);
        text_field_values[key] = PyUnicode_FromFormat("%s=", value_keys[key]);
        if (text_colon_values[key] == NULL || text_field_values[key] == NULL) {
            return -1;
        }
    }
    open_list = PyUnicode_InternFromString("[");
    close_list = PyUnicode_InternFromString("]");
    open_tuple = PyUnicode_InternFromString("(");
    close_tuple = PyUnicode_InternFromString(")");
    close_single = PyUnicode_InternFromString(",)");
    open_dict = PyUnicode_InternFromString("{");
    close_dict = PyUnicode_InternFromString("}");
    kw_more = PyTuple_Pack(1, str_more);
    kw_ref = PyTuple_Pack(1, str_ref);
    return close_dict == NULL || kw_more == NULL || kw_ref == NULL || PyErr_Occurred() ? -1 : 0;
}

PyMODINIT_FUNC
PyInit__trees(void)
{
    if (make_texts() < 0 || PyType_Ready(&Trees_type) < 0) {
        return NULL;
    }
    PyObject *module = PyModule_Create(&module_definition);
    if (module != NULL && PyModule_AddObjectRef(module, "Trees", (PyObject *)&Trees_type) < 0) {
        Py_CLEAR(module);
    }
    return module;
}
