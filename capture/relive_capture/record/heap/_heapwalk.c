/* Walks the heap of this process: every object that can be reached, its type, its size and whom it holds.
 *
 * It runs while nothing else of the interpreter does, never calls a line of the user's code, never runs the
 * collector, and keeps what it finds in malloc'ed columns (see relive_capture/heap_format.py). Types are told
 * by ob_type alone. `walker.py` beside it does the same in Python, and says the same of a quiet heap.
 *
 * While it walks, Python objects are made only by the built-in types' own __sizeof__ (an int, dropped at once),
 * and by numpy's for the base of a view.
 */
#define PY_SSIZE_T_CLEAN
#define Py_BUILD_CORE_MODULE 1
#include <Python.h>
#include <frameobject.h>
#include <structmember.h>

#include <errno.h>
#include <limits.h>
#include <time.h>
#include <unistd.h>

#include "_internals.h"
#include "_tables.h"

enum { INTERNAL, ATTRIBUTE, INDEX, ITEM, KEY, LOCAL };
#define LABEL_SHIFT 28
#define LABEL_MASK ((1u << LABEL_SHIFT) - 1)

#define OBJECT_BYTES 28 /* of the columns, for each object and each edge */
#define EDGE_BYTES 8
#define MAX_ITEM_NAMES 100000u    /* keys that are kept as text, of all dicts */
#define MAX_ITEMS_NAMED 10000     /* and of one */
#define MAX_NAMES 400000u
#define LOOK_AROUND 64            /* how far a child is looked for among the names that are expected */
#define CHECK_EVERY 1024u
#define MAX_DEAD 4096u            /* free objects that one object may keep: more are a ring of them */
#define VISITS_PER_CHECK 65536u
#define SPARE_BYTES ((uint64_t)64 << 20) /* for the children of one object, over the limit of the columns */
#define WRITE_BYTES 65536

static const char DICT_NAME[] = "__dict__", GLOBALS_NAME[] = "__globals__";

enum { PLAIN, OF_C, OF_ITEM }; /* kinds of names */
enum { NAMESPACE = 1, HELD = 2, SEEN = 4 }; /* flags of an object */
enum { LEAF, DICT, LIST, TUPLE, SET, CODE, ARRAY, OTHER };

typedef struct {
    PyTypeObject *type;
    int kind;
    int exact;
    int collected;
    int frame_like;
    Py_ssize_t before;
    PyCFunction size;
    uint32_t first_member, members; /* of `members` in the walk */
} TypeInfo;

typedef struct {
    Py_ssize_t offset;
    uint32_t name;
} Member;

typedef struct {
    PyObject *child;
    uint32_t label;
} Expected;

typedef struct {
    PyObject_HEAD
    Table objects;
    Table types;
    Table names;        /* 0 is "" ; of an entry's key the address + 1: it is another text than a plain name */
    uint8_t *name_kind;
    size_t name_room;
    uint32_t item_names;
    TypeInfo *infos;
    size_t infos_room;
    Member *members;
    size_t members_count, members_room;
    uint32_t *type_of;
    uint64_t *size_of;
    uint32_t *start;
    uint32_t *value;
    uint8_t *flags;
    size_t object_room;
    uint32_t *edge;
    uint32_t *label;
    size_t edge_room;
    uint32_t edges;
    uint32_t *order;    /* by address; `rank` is the other way */
    uint32_t *rank;
    PyObject **children;
    size_t children_count, children_room, visits, dead;
    Expected *expected;
    size_t expected_count, expected_room, expected_next;
    uint32_t *rest;     /* objects that nothing holds, of what the roots do not reach */
    size_t rest_count, rest_room;
    uint64_t total;
    uint64_t max_objects, max_bytes;
    uint64_t held_bytes; /* by the process: no object has more */
    int64_t cpu_end_ns, cpu_start_ns, cpu_ns;
    const char *truncated;
    int stopped;
    PyObject *skip;
    PyTypeObject *deque;
} Heap;

static int64_t
cpu_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void
stop(Heap *heap, const char *limit)
{
    heap->truncated = limit;
    heap->stopped = 1;
}

/* ---------------------------------------------------------------- names */

static uint32_t
name_of(Heap *heap, const void *name, int kind)
{
    uint32_t found = table_find(&heap->names, name);
    if (found != NONE) {
        return found;
    }
    if (heap->names.count >= MAX_NAMES
        || !grow((void **)&heap->name_kind, &heap->name_room, (size_t)heap->names.count + 1, 1)) {
        return 0;
    }
    heap->name_kind[heap->names.count] = (uint8_t)kind;
    found = table_add(&heap->names, name);
    return found == NONE ? 0 : found;
}

static inline uint32_t
tag(uint32_t kind, uint64_t value)
{
    return kind << LABEL_SHIFT | (uint32_t)(value > LABEL_MASK ? LABEL_MASK : value);
}

static uint32_t
internal(Heap *heap, const char *name)
{
    return tag(INTERNAL, name_of(heap, name, OF_C));
}

static uint32_t
named(Heap *heap, uint32_t kind, PyObject *name)
{
    return tag(kind, name != NULL && PyUnicode_CheckExact(name) ? name_of(heap, name, PLAIN) : 0);
}

static uint32_t
item(Heap *heap, PyObject *key, Py_ssize_t place)
{
    const char *address = (const char *)key + 1;
    uint32_t found = table_find(&heap->names, address);
    if (found == NONE) {
        if (place >= MAX_ITEMS_NAMED || heap->item_names >= MAX_ITEM_NAMES) {
            return tag(ITEM, 0);
        }
        heap->item_names++;
        found = name_of(heap, address, OF_ITEM);
    }
    return tag(ITEM, found);
}

/* ---------------------------------------------------------------- types */

static int
trusted_size(const char *name)
{
    /* Only of these is __sizeof__ known to look at the object and nothing else. */
    static const char *const modules[] = {"collections.", "array.", "numpy.", "_io.", "mmap.", "itertools.",
                                          "functools.", "_struct.", "_random.", "_asyncio."};
    if (strchr(name, '.') == NULL) {
        return 1;
    }
    for (size_t at = 0; at < sizeof(modules) / sizeof(*modules); at++) {
        if (strncmp(name, modules[at], strlen(modules[at])) == 0) {
            return 1;
        }
    }
    return 0;
}

/* Whether the number of items in an object means what it says: a C type may keep something else there. */
static int
counts_items(PyTypeObject *type)
{
    if (type->tp_itemsize == 0) {
        return 1;
    }
    for (; type != NULL; type = type->tp_base) {
        int of_python = !(type->tp_flags & Py_TPFLAGS_HEAPTYPE) && strchr(type->tp_name, '.') == NULL;
        if (of_python && type->tp_itemsize != 0) {
            return 1;
        }
    }
    return 0;
}

static PyCFunction
size_function(PyTypeObject *type)
{
    int counted = counts_items(type);
    for (; type != NULL; type = type->tp_base) {
        if (type->tp_methods == NULL || !trusted_size(type->tp_name)
            || (type == &PyBaseObject_Type && !counted)) {
            continue;
        }
        for (PyMethodDef *method = type->tp_methods; method->ml_name != NULL; method++) {
            if (strcmp(method->ml_name, "__sizeof__") == 0 && method->ml_flags == METH_NOARGS) {
                return method->ml_meth;
            }
        }
    }
    return NULL;
}

static int
kind_of(Heap *heap, PyTypeObject *type, int collected)
{
    if (type == &PyCode_Type) {
        return CODE;
    }
    if (!collected) {
        int of_c = !(type->tp_flags & Py_TPFLAGS_HEAPTYPE);
        return of_c && strcmp(type->tp_name, "numpy.ndarray") == 0 ? ARRAY : LEAF;
    }
    if (type->tp_flags & Py_TPFLAGS_DICT_SUBCLASS) {
        return DICT;
    }
    if (type->tp_flags & Py_TPFLAGS_LIST_SUBCLASS) {
        return LIST;
    }
    if (type->tp_flags & Py_TPFLAGS_TUPLE_SUBCLASS) {
        return TUPLE;
    }
    return type == &PySet_Type || type == &PyFrozenSet_Type || type == heap->deque ? SET : OTHER;
}

/* Names that are compared by their address. */
static const char *
c_name(const char *name)
{
    if (strcmp(name, DICT_NAME) == 0) {
        return DICT_NAME;
    }
    return strcmp(name, GLOBALS_NAME) == 0 ? GLOBALS_NAME : name;
}

/* The offsets at which instances keep objects under a name: __slots__, and the members of C types. */
static void
add_members(Heap *heap, TypeInfo *info)
{
    info->first_member = (uint32_t)heap->members_count;
    for (PyTypeObject *base = info->type; base != NULL; base = base->tp_base) {
        PyMemberDef *member = base->tp_members;
        for (; member != NULL && member->name != NULL; member++) {
#if PY_VERSION_HEX >= 0x030C0000
            if (member->flags & Py_RELATIVE_OFFSET) {
                continue;
            }
#endif
            int holds = member->type == T_OBJECT_EX || member->type == T_OBJECT;
            if (!holds || !grow((void **)&heap->members, &heap->members_room, heap->members_count + 1,
                                sizeof(Member))) {
                continue;
            }
            uint32_t kind = base->tp_flags & Py_TPFLAGS_HEAPTYPE ? ATTRIBUTE : INTERNAL;
            Member *kept = &heap->members[heap->members_count++];
            kept->offset = member->offset;
            kept->name = tag(kind, name_of(heap, c_name(member->name), OF_C));
            info->members++;
        }
    }
}

static uint32_t
type_number(Heap *heap, PyTypeObject *type)
{
    uint32_t found = table_find(&heap->types, type);
    if (found != NONE) {
        return found;
    }
    if (!grow((void **)&heap->infos, &heap->infos_room, (size_t)heap->types.count + 1, sizeof(TypeInfo))) {
        return NONE;
    }
    TypeInfo *info = &heap->infos[heap->types.count];
    memset(info, 0, sizeof(*info));
    info->type = type;
    info->collected = (type->tp_flags & Py_TPFLAGS_HAVE_GC) != 0 && type->tp_traverse != NULL;
    info->kind = kind_of(heap, type, info->collected);
    info->exact = type == &PyDict_Type || type == &PyList_Type || type == &PyTuple_Type || info->kind == SET;
    info->frame_like = type == &PyFrame_Type || type == &PyGen_Type || type == &PyCoro_Type
                       || type == &PyAsyncGen_Type;
    info->before = bytes_before(type, info->collected);
    info->size = size_function(type);
    if (info->collected && !info->exact) {
        add_members(heap, info);
    }
    return table_add(&heap->types, type);
}

static uint64_t
size_of(PyObject *object, const TypeInfo *info, uint64_t held_bytes)
{
    Py_ssize_t size = -1;
    if (info->size != NULL) {
        PyObject *given = info->size(object, NULL);
        if (given != NULL) {
            size = PyLong_AsSsize_t(given);
            Py_DECREF(given);
        }
        if (size < 0) {
            PyErr_Clear();
        }
    }
    if (size < 0 || (uint64_t)size > held_bytes) {
        size = info->type->tp_basicsize;
    }
    return (uint64_t)(size + info->before);
}

/* ---------------------------------------------------------------- objects and edges */

static int
is_skipped(const Heap *heap, PyObject *object)
{
    for (Py_ssize_t at = PyTuple_GET_SIZE(heap->skip); at-- > 0;) {
        if (PyTuple_GET_ITEM(heap->skip, at) == object) {
            return 1;
        }
    }
    return 0;
}

static int
object_room(Heap *heap, size_t wanted)
{
    size_t room = heap->object_room;
    if (wanted <= room) {
        return 1;
    }
    size_t type_room = room, size_room = room, start_room = room, value_room = room;
    return grow((void **)&heap->type_of, &type_room, wanted, sizeof(uint32_t))
           && grow((void **)&heap->size_of, &size_room, wanted, sizeof(uint64_t))
           && grow((void **)&heap->start, &start_room, wanted, sizeof(uint32_t))
           && grow((void **)&heap->value, &value_room, wanted, sizeof(uint32_t))
           && grow((void **)&heap->flags, &heap->object_room, wanted, 1);
}

/* The number of an object, which is made known if there is room for it; else NONE. */
static uint32_t
number_of(Heap *heap, PyObject *object)
{
    uint32_t number = table_find(&heap->objects, object);
    if (number != NONE) {
        return number;
    }
    if (heap->objects.count >= heap->max_objects) {
        heap->truncated = heap->truncated ? heap->truncated : "objects";
        return NONE;
    }
    if (is_skipped(heap, object)) {
        return NONE;
    }
    uint32_t type = type_number(heap, Py_TYPE(object));
    if (type == NONE || !object_room(heap, (size_t)heap->objects.count + 2)) {
        stop(heap, "memory");
        return NONE;
    }
    number = table_add(&heap->objects, object);
    if (number == NONE) {
        stop(heap, "memory");
        return NONE;
    }
    heap->type_of[number] = type;
    heap->size_of[number] = size_of(object, &heap->infos[type], heap->held_bytes);
    heap->total += heap->size_of[number];
    heap->value[number] = 0;
    heap->flags[number] = 0;
    return number;
}

static void
add_edge(Heap *heap, uint32_t from, PyObject *child, uint32_t label)
{
    if (child == NULL || heap->stopped) {
        return;
    }
    uint32_t number = number_of(heap, child);
    if (number == NONE) {
        return;
    }
    uint64_t bytes = ((uint64_t)heap->edges + 1) * EDGE_BYTES + (uint64_t)heap->objects.count * OBJECT_BYTES;
    if (bytes > heap->max_bytes || heap->edges == NONE - 1) {
        stop(heap, "bytes");
        return;
    }
    size_t label_room = heap->edge_room;
    if (!grow((void **)&heap->label, &label_room, (size_t)heap->edges + 1, sizeof(uint32_t))
        || !grow((void **)&heap->edge, &heap->edge_room, (size_t)heap->edges + 1, sizeof(uint32_t))) {
        stop(heap, "memory");
        return;
    }
    heap->edge[heap->edges] = number;
    heap->label[heap->edges++] = label;
    if (number != from) {
        heap->flags[number] |= HELD;
    }
}

/* ---------------------------------------------------------------- what an object holds */

static int
collect(PyObject *child, void *into)
{
    Heap *heap = into;
    if (++heap->visits % VISITS_PER_CHECK == 0 && cpu_now_ns() > heap->cpu_end_ns) {
        stop(heap, "cpu");
        return 1;
    }
    if (Py_REFCNT(child) <= 0) { /* a module told of its free list */
        return ++heap->dead > MAX_DEAD;
    }
    if (heap->children_count * sizeof(PyObject *) > heap->max_bytes + SPARE_BYTES) {
        stop(heap, "bytes");
        return 1;
    }
    if (!grow((void **)&heap->children, &heap->children_room, heap->children_count + 1, sizeof(PyObject *))) {
        stop(heap, "memory");
        return 1;
    }
    heap->children[heap->children_count++] = child;
    return 0;
}

static void
expect(Heap *heap, PyObject *child, uint32_t label)
{
    if (child == NULL) {
        return;
    }
    if (grow((void **)&heap->expected, &heap->expected_room, heap->expected_count + 1, sizeof(Expected))) {
        heap->expected[heap->expected_count].child = child;
        heap->expected[heap->expected_count++].label = label;
    }
}

/* The name under which a child is held. Children come in nearly the order in which they are expected. */
static uint32_t
label_of(Heap *heap, PyObject *child)
{
    size_t end = heap->expected_next + LOOK_AROUND;
    end = end < heap->expected_count ? end : heap->expected_count;
    for (size_t at = heap->expected_next; at < end; at++) {
        if (heap->expected[at].child == child) {
            heap->expected[at].child = NULL;
            while (heap->expected_next < heap->expected_count
                   && heap->expected[heap->expected_next].child == NULL) {
                heap->expected_next++;
            }
            return heap->expected[at].label;
        }
    }
    return tag(INTERNAL, 0);
}

static void
expect_function(Heap *heap, PyFunctionObject *function)
{
    expect(heap, function->func_code, internal(heap, "__code__"));
    expect(heap, function->func_globals, internal(heap, GLOBALS_NAME));
    expect(heap, function->func_module, internal(heap, "__module__"));
    expect(heap, function->func_defaults, internal(heap, "__defaults__"));
    expect(heap, function->func_kwdefaults, internal(heap, "__kwdefaults__"));
    expect(heap, function->func_doc, internal(heap, "__doc__"));
    expect(heap, function->func_name, internal(heap, "__name__"));
    expect(heap, function->func_dict, internal(heap, DICT_NAME));
    expect(heap, function->func_closure, internal(heap, "__closure__"));
    expect(heap, function->func_annotations, internal(heap, "__annotations__"));
    expect(heap, function->func_qualname, internal(heap, "__qualname__"));
    expect(heap, function->func_builtins, internal(heap, "__builtins__"));
}

static void
expect_type(Heap *heap, PyTypeObject *type)
{
    expect(heap, type->tp_dict, internal(heap, DICT_NAME));
    expect(heap, type->tp_mro, internal(heap, "__mro__"));
    expect(heap, type->tp_bases, internal(heap, "__bases__"));
    expect(heap, (PyObject *)type->tp_base, internal(heap, "__base__"));
}

static void
expect_exception(Heap *heap, PyBaseExceptionObject *error)
{
    expect(heap, error->args, internal(heap, "args"));
    expect(heap, error->notes, internal(heap, "__notes__"));
    expect(heap, error->traceback, internal(heap, "__traceback__"));
    expect(heap, error->cause, internal(heap, "__cause__"));
    expect(heap, error->context, internal(heap, "__context__"));
}

static void
expect_locals(Heap *heap, PyObject *object)
{
    PyObject **locals = NULL;
    PyObject *names = NULL;
    Py_ssize_t count = kept_locals(object, &locals, &names);
    for (Py_ssize_t at = 0; at < count; at++) {
        expect(heap, locals[at], named(heap, LOCAL, PyTuple_GET_ITEM(names, at)));
    }
}

static void
expect_attributes(Heap *heap, PyObject *object)
{
    PyObject **values;
    PyObject *dict = instance_dict(object, &values);
    expect(heap, dict, internal(heap, DICT_NAME));
    if (values != NULL) {
        Py_ssize_t count = shared_names(Py_TYPE(object));
        for (Py_ssize_t at = 0; at < count; at++) {
            if (values[at] != NULL) {
                expect(heap, values[at], named(heap, ATTRIBUTE, shared_name(Py_TYPE(object), at)));
            }
        }
    }
}

static void
expect_names(Heap *heap, PyObject *object, const TypeInfo *info)
{
    heap->expected_count = heap->expected_next = 0;
    for (uint32_t at = 0; at < info->members; at++) {
        const Member *member = &heap->members[info->first_member + at];
        expect(heap, *(PyObject **)((char *)object + member->offset), member->name);
    }
    if (Py_IS_TYPE(object, &PyFunction_Type)) {
        expect_function(heap, (PyFunctionObject *)object);
        return;
    }
    if (Py_IS_TYPE(object, &PyCell_Type)) {
        expect(heap, PyCell_GET(object), internal(heap, "cell_contents"));
        return;
    }
    if (Py_IS_TYPE(object, &PyTraceBack_Type)) {
        expect(heap, (PyObject *)((PyTracebackObject *)object)->tb_next, internal(heap, "tb_next"));
        return;
    }
    if (info->frame_like) {
        expect_locals(heap, object);
        return;
    }
    if (info->type->tp_flags & Py_TPFLAGS_TYPE_SUBCLASS) {
        expect_type(heap, (PyTypeObject *)object);
    }
    if (info->type->tp_flags & Py_TPFLAGS_BASE_EXC_SUBCLASS) {
        expect_exception(heap, (PyBaseExceptionObject *)object);
    }
    expect_attributes(heap, object);
    expect(heap, (PyObject *)info->type, internal(heap, "__class__"));
}

/* A dict's own entries, whatever its class. */
static void
expand_dict(Heap *heap, uint32_t number, PyObject *object, int keep_children)
{
    Py_ssize_t position = 0, place = 0;
    PyObject *key, *value;
    int names = heap->flags[number] & NAMESPACE;
    while (!heap->stopped && PyDict_Next(object, &position, &key, &value)) {
        uint32_t label = names && PyUnicode_CheckExact(key) ? named(heap, ATTRIBUTE, key)
                                                            : item(heap, key, place);
        add_edge(heap, number, key, tag(KEY, (uint64_t)place++));
        add_edge(heap, number, value, label);
        if (keep_children && (collect(key, heap) || collect(value, heap))) {
            return;
        }
    }
}

static void
expand_sequence(Heap *heap, uint32_t number, PyObject **items, Py_ssize_t count, int keep_children)
{
    for (Py_ssize_t at = 0; at < count && !heap->stopped; at++) {
        add_edge(heap, number, items[at], tag(INDEX, (uint64_t)at));
        if (keep_children && items[at] != NULL && collect(items[at], heap)) {
            return;
        }
    }
}

static int
is_collected(PyObject *object)
{
    inquiry decide = Py_TYPE(object)->tp_is_gc;
    return decide == NULL || decide(object);
}

/* Since 3.12 _asyncio tells of dead objects, too, which it keeps for the next use: its namespace has to do. */
static int
traverse(Heap *heap, PyObject *object, const TypeInfo *info)
{
    heap->dead = 0;
    if (Py_IS_TYPE(object, &PyModule_Type)) {
        PyModuleDef *def = PyModule_GetDef(object);
        if (def != NULL && def->m_name != NULL && strcmp(def->m_name, "_asyncio") == 0) {
            return collect(PyModule_GetDict(object), heap);
        }
    }
    return info->type->tp_traverse(object, collect, heap);
}

/* What tp_traverse tells, each with its name; `own` children at the front of the list have been told. */
static void
expand_rest(Heap *heap, uint32_t number, PyObject *object, const TypeInfo *info, size_t own, int pairs)
{
    size_t told = 0, first = heap->children_count;
    expect_names(heap, object, info);
    traverse(heap, object, info);
    for (size_t at = first; at < heap->children_count && !heap->stopped; at++) {
        PyObject *child = heap->children[at];
        if (told < own && pairs && child == heap->children[told]) {
            continue; /* a key; its value follows */
        }
        if (told < own && child == heap->children[told + (pairs ? 1 : 0)]) {
            told += pairs ? 2 : 1;
            continue;
        }
        uint32_t label = label_of(heap, child);
        add_edge(heap, number, child, label);
        if (child != object && PyDict_CheckExact(child)
            && (label == internal(heap, DICT_NAME) || label == internal(heap, GLOBALS_NAME))) {
            uint32_t dict = table_find(&heap->objects, child);
            if (dict != NONE) {
                heap->flags[dict] |= NAMESPACE;
            }
        }
    }
}

static void
expand_code(Heap *heap, uint32_t number, PyCodeObject *code)
{
    add_edge(heap, number, code->co_consts, internal(heap, "co_consts"));
    add_edge(heap, number, code->co_names, internal(heap, "co_names"));
    add_edge(heap, number, code->co_filename, internal(heap, "co_filename"));
    add_edge(heap, number, code->co_name, internal(heap, "co_name"));
    add_edge(heap, number, code->co_qualname, internal(heap, "co_qualname"));
    add_edge(heap, number, code->co_linetable, internal(heap, "co_linetable"));
    add_edge(heap, number, code->co_exceptiontable, internal(heap, "co_exceptiontable"));
}

/* A view keeps the array whose memory it shows; the collector knows nothing of arrays. */
static void
expand_array(Heap *heap, uint32_t number, PyObject *array)
{
    PyObject *base = PyObject_GetAttrString(array, "base");
    if (base == NULL) {
        PyErr_Clear();
        return;
    }
    if (base != Py_None) {
        add_edge(heap, number, base, internal(heap, "base"));
    }
    Py_DECREF(base); /* the array holds it */
}

static void
expand(Heap *heap, uint32_t number)
{
    PyObject *object = (PyObject *)heap->objects.keys[number];
    const TypeInfo info = heap->infos[heap->type_of[number]]; /* a copy: the table may move */
    int more = !info.exact;
    heap->children_count = 0;
    if (info.kind == LEAF) {
        return;
    }
    if (info.kind == CODE) {
        expand_code(heap, number, (PyCodeObject *)object);
        return;
    }
    if (info.kind == ARRAY) {
        expand_array(heap, number, object);
        return;
    }
    if (!is_collected(object)) {
        return; /* a static type: its traverse must not be called */
    }
    if (info.kind == DICT) {
        expand_dict(heap, number, object, more);
    }
    else if (info.kind == LIST) {
        PyListObject *list = (PyListObject *)object;
        expand_sequence(heap, number, list->ob_item, Py_SIZE(list), more);
    }
    else if (info.kind == TUPLE) {
        expand_sequence(heap, number, ((PyTupleObject *)object)->ob_item, Py_SIZE(object), more);
    }
    else if (info.kind == SET) {
        traverse(heap, object, &info);
        size_t place = 0;
        for (size_t at = 0; at < heap->children_count && !heap->stopped; at++) {
            int is_class = heap->children[at] == (PyObject *)info.type && at == 0;
            add_edge(heap, number, heap->children[at],
                     is_class ? internal(heap, "__class__") : tag(INDEX, place++));
        }
    }
    if (more && !heap->stopped) {
        expand_rest(heap, number, object, &info, heap->children_count, info.kind == DICT);
    }
}

/* ---------------------------------------------------------------- the walk */

/* Expand what is known and not expanded yet, in the order in which it was found. */
static void
expand_from(Heap *heap, uint32_t number)
{
    for (; number < heap->objects.count; number++) {
        heap->start[number] = heap->edges;
        if (heap->stopped) {
            continue;
        }
        expand(heap, number);
        if (number % CHECK_EVERY == 0 && cpu_now_ns() > heap->cpu_end_ns) {
            stop(heap, "cpu");
        }
    }
    if (heap->start != NULL) {
        heap->start[heap->objects.count] = heap->edges;
    }
}

static void
mark(Heap *heap, uint32_t from, uint32_t *queue)
{
    size_t done = 0, count = 1;
    queue[0] = from;
    heap->flags[from] |= SEEN;
    while (done < count) {
        uint32_t number = queue[done++];
        for (uint32_t at = heap->start[number]; at < heap->start[number + 1]; at++) {
            uint32_t child = heap->edge[at];
            if (!(heap->flags[child] & SEEN)) {
                heap->flags[child] |= SEEN;
                queue[count++] = child;
            }
        }
    }
}

static int
add_rest(Heap *heap, uint32_t number, uint32_t *queue)
{
    if (!grow((void **)&heap->rest, &heap->rest_room, heap->rest_count + 1, sizeof(uint32_t))) {
        return 0;
    }
    heap->rest[heap->rest_count++] = number;
    mark(heap, number, queue);
    return 1;
}

/* Of the objects from `first` on, those from which all the others can be reached: what nothing holds, and one
 * of each ring that holds itself. */
static int
find_rest(Heap *heap, uint32_t first)
{
    uint32_t count = heap->objects.count;
    uint32_t *queue = malloc(((size_t)count + 1) * sizeof(uint32_t));
    if (queue == NULL) {
        return 0;
    }
    for (uint32_t number = 0; number < first; number++) {
        heap->flags[number] |= SEEN;
    }
    int ok = 1;
    for (uint32_t number = first; number < count && ok; number++) {
        if (!(heap->flags[number] & (HELD | SEEN))) {
            ok = add_rest(heap, number, queue);
        }
    }
    for (uint32_t number = first; number < count && ok; number++) {
        if (!(heap->flags[number] & SEEN)) {
            ok = add_rest(heap, number, queue);
        }
    }
    free(queue);
    return ok;
}

static int
walk_all(Heap *heap, PyObject *roots, PyObject *others)
{
    for (Py_ssize_t at = 0; at < PyList_GET_SIZE(roots) && !heap->stopped; at++) {
        number_of(heap, PyList_GET_ITEM(roots, at));
    }
    expand_from(heap, 0);
    uint32_t first = heap->objects.count;
    for (Py_ssize_t at = 0; at < PyList_GET_SIZE(others) && !heap->stopped; at++) {
        number_of(heap, PyList_GET_ITEM(others, at));
    }
    expand_from(heap, first);
    if (!object_room(heap, 2)) {
        return 0;
    }
    heap->start[heap->objects.count] = heap->edges;
    if (!find_rest(heap, first)) {
        return 0;
    }
    heap->order = sorted_numbers(heap->objects.keys, heap->objects.count);
    heap->rank = malloc(((size_t)heap->objects.count + 1) * sizeof(uint32_t));
    if (heap->order == NULL || heap->rank == NULL) {
        return 0;
    }
    for (uint32_t at = 0; at < heap->objects.count; at++) {
        heap->rank[heap->order[at]] = at;
    }
    heap->cpu_ns = cpu_now_ns() - heap->cpu_start_ns;
    return 1;
}

static void
Heap_dealloc(PyObject *self)
{
    Heap *heap = (Heap *)self;
    void *blocks[] = {heap->name_kind, heap->infos, heap->members, heap->type_of, heap->size_of, heap->start,
                      heap->value, heap->flags, heap->edge, heap->label, heap->order, heap->rank,
                      heap->children, heap->expected, heap->rest};
    for (size_t at = 0; at < sizeof(blocks) / sizeof(*blocks); at++) {
        free(blocks[at]);
    }
    table_close(&heap->objects);
    table_close(&heap->types);
    table_close(&heap->names);
    Py_XDECREF(heap->skip);
    Py_TYPE(self)->tp_free(self);
}

/* ---------------------------------------------------------------- what was found */

static PyObject *
Heap_index(PyObject *self, PyObject *object)
{
    Heap *heap = (Heap *)self;
    uint32_t number = table_find(&heap->objects, object);
    return PyLong_FromLong(number == NONE ? -1 : (long)heap->rank[number]);
}

static PyObject *
Heap_rest(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    Heap *heap = (Heap *)self;
    PyObject *found = PyList_New((Py_ssize_t)heap->rest_count);
    for (size_t at = 0; found != NULL && at < heap->rest_count; at++) {
        PyObject *number = PyLong_FromUnsignedLong(heap->rank[heap->rest[at]]);
        if (number == NULL) {
            Py_CLEAR(found);
            break;
        }
        PyList_SET_ITEM(found, (Py_ssize_t)at, number);
    }
    return found;
}

static PyObject *
Heap_types(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    Heap *heap = (Heap *)self;
    PyObject *found = PyList_New(heap->types.count);
    for (uint32_t at = 0; found != NULL && at < heap->types.count; at++) {
        PyList_SET_ITEM(found, at, Py_NewRef((PyObject *)heap->types.keys[at]));
    }
    return found;
}

static PyObject *
Heap_names(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    Heap *heap = (Heap *)self;
    PyObject *found = PyList_New(heap->names.count);
    for (uint32_t at = 0; found != NULL && at < heap->names.count; at++) {
        const char *address = heap->names.keys[at];
        PyObject *name;
        if (heap->name_kind[at] == OF_C) {
            name = PyUnicode_FromString(address);
            if (name == NULL) {
                Py_CLEAR(found);
                break;
            }
        }
        else {
            name = Py_NewRef((PyObject *)(heap->name_kind[at] == OF_ITEM ? address - 1 : address));
        }
        PyList_SET_ITEM(found, at, name);
    }
    return found;
}

static PyObject *
Heap_name_kinds(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    Heap *heap = (Heap *)self;
    return PyBytes_FromStringAndSize((char *)heap->name_kind, heap->names.count);
}

static PyObject *
Heap_set_value(PyObject *self, PyObject *args)
{
    Heap *heap = (Heap *)self;
    unsigned int index, value;
    if (!PyArg_ParseTuple(args, "II", &index, &value)) {
        return NULL;
    }
    if (index >= heap->objects.count) {
        PyErr_SetString(PyExc_IndexError, "no such object");
        return NULL;
    }
    heap->value[heap->order[index]] = value;
    Py_RETURN_NONE;
}

/* ---------------------------------------------------------------- columns */

typedef struct {
    int descriptor;
    int failed; /* errno */
    size_t used;
    uint64_t written;
    unsigned char buffer[WRITE_BYTES];
} Out;

static void
out_flush(Out *out)
{
    size_t done = 0;
    while (done < out->used && !out->failed) {
        ssize_t sent = write(out->descriptor, out->buffer + done, out->used - done);
        if (sent > 0) {
            done += (size_t)sent;
        }
        else if (sent < 0 && errno != EINTR) {
            out->failed = errno;
        }
    }
    out->written += done;
    out->used = 0;
}

static void
out_put(Out *out, uint64_t item, size_t width)
{
    if (out->used + width > WRITE_BYTES) {
        out_flush(out);
    }
    for (size_t at = 0; at < width; at++) {
        out->buffer[out->used++] = (unsigned char)(item >> (8 * at));
    }
}

static void
put_objects(Heap *heap, Out *out, char column)
{
    for (uint32_t at = 0; at < heap->objects.count && !out->failed; at++) {
        uint32_t number = heap->order[at];
        switch (column) {
        case 'a': out_put(out, (uintptr_t)heap->objects.keys[number], 8); break;
        case 't': out_put(out, heap->type_of[number], 4); break;
        case 's': out_put(out, heap->size_of[number], 8); break;
        default: out_put(out, heap->value[number], 4); break;
        }
    }
}

static void
put_edges(Heap *heap, Out *out, char column)
{
    uint32_t first = 0;
    for (uint32_t at = 0; at < heap->objects.count && !out->failed; at++) {
        uint32_t number = heap->order[at], start = heap->start[number], end = heap->start[number + 1];
        if (column == 'f') {
            out_put(out, first, 4);
            first += end - start;
            continue;
        }
        for (uint32_t edge = start; edge < end; edge++) {
            out_put(out, column == 'e' ? heap->rank[heap->edge[edge]] : heap->label[edge], 4);
        }
    }
    if (column == 'f') {
        out_put(out, first, 4);
    }
}

static PyObject *
Heap_write(PyObject *self, PyObject *args)
{
    const char *name;
    int descriptor;
    if (!PyArg_ParseTuple(args, "si", &name, &descriptor)) {
        return NULL;
    }
    Out *out = calloc(1, sizeof(Out));
    if (out == NULL) {
        return PyErr_NoMemory();
    }
    out->descriptor = descriptor;
    Py_BEGIN_ALLOW_THREADS
    if (strcmp(name, "edge") == 0 || strcmp(name, "label") == 0 || strcmp(name, "first_edge") == 0) {
        put_edges((Heap *)self, out, name[0]);
    }
    else {
        put_objects((Heap *)self, out, name[0]);
    }
    out_flush(out);
    Py_END_ALLOW_THREADS
    int failed = out->failed;
    uint64_t written = out->written;
    free(out);
    if (failed) {
        errno = failed;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    return PyLong_FromUnsignedLongLong(written);
}

/* ---------------------------------------------------------------- the module */

static PyObject *
Heap_objects(PyObject *self, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLong(((Heap *)self)->objects.count);
}

static PyObject *
Heap_edges(PyObject *self, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLong(((Heap *)self)->edges);
}

static PyObject *
Heap_bytes(PyObject *self, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLongLong(((Heap *)self)->total);
}

static PyObject *
Heap_truncated(PyObject *self, void *Py_UNUSED(closure))
{
    const char *limit = ((Heap *)self)->truncated;
    return PyUnicode_FromString(limit ? limit : "");
}

static PyObject *
Heap_cpu_ns(PyObject *self, void *Py_UNUSED(closure))
{
    return PyLong_FromLongLong(((Heap *)self)->cpu_ns);
}

static PyGetSetDef Heap_getset[] = {
    {"objects", Heap_objects, NULL, NULL, NULL},
    {"edges", Heap_edges, NULL, NULL, NULL},
    {"bytes", Heap_bytes, NULL, NULL, NULL},
    {"truncated", Heap_truncated, NULL, NULL, NULL},
    {"cpu_ns", Heap_cpu_ns, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef Heap_methods[] = {
    {"index", Heap_index, METH_O, "The number of an object; -1 if it was not found."},
    {"rest", Heap_rest, METH_NOARGS, "Numbers of the objects that hold what the roots do not reach."},
    {"types", Heap_types, METH_NOARGS, "The types, by number."},
    {"names", Heap_names, METH_NOARGS, "What labels name, by number: str, or a dict's key. Call it at once."},
    {"name_kinds", Heap_name_kinds, METH_NOARGS, "A byte for each name: 0 or 1 a name, 2 a dict's key."},
    {"set_value", Heap_set_value, METH_VARARGS, "Give an object a text: (number, 1 + index of a string)."},
    {"write", Heap_write, METH_VARARGS, "Write a column to a descriptor; gives its bytes. Raises OSError."},
    {NULL, NULL, 0, NULL},
};

static PyTypeObject Heap_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "relive_capture.record.heap._heapwalk.Heap",
    .tp_basicsize = sizeof(Heap),
    .tp_dealloc = Heap_dealloc,
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_doc = "What a walk found. Addresses are borrowed: ask for types and names before anything else runs.",
    .tp_methods = Heap_methods,
    .tp_getset = Heap_getset,
};

static PyObject *
walk(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *roots, *others, *skip, *deque;
    unsigned long long max_objects, max_bytes, held_bytes = ULLONG_MAX;
    double cpu_s;
    if (!PyArg_ParseTuple(args, "O!O!O!O!KKd|K", &PyList_Type, &roots, &PyList_Type, &others, &PyTuple_Type, &skip,
                          &PyType_Type, &deque, &max_objects, &max_bytes, &cpu_s, &held_bytes)) {
        return NULL;
    }
    Heap *heap = PyObject_New(Heap, &Heap_type);
    if (heap == NULL) {
        return NULL;
    }
    memset((char *)heap + sizeof(PyObject), 0, sizeof(Heap) - sizeof(PyObject));
    heap->skip = Py_NewRef(skip);
    heap->deque = (PyTypeObject *)deque;
    heap->max_objects = max_objects < LABEL_MASK ? max_objects : LABEL_MASK;
    heap->max_bytes = max_bytes;
    heap->held_bytes = held_bytes;
    heap->cpu_start_ns = cpu_now_ns();
    heap->cpu_end_ns = heap->cpu_start_ns + (int64_t)(cpu_s * 1e9);
    if (!table_open(&heap->objects, 65536) || !table_open(&heap->types, 4096)
        || !table_open(&heap->names, 16384) || !object_room(heap, 1024)) {
        Py_DECREF(heap);
        return PyErr_NoMemory();
    }
    name_of(heap, "", OF_C);
    if (!walk_all(heap, roots, others)) {
        Py_DECREF(heap);
        return PyErr_NoMemory();
    }
    return (PyObject *)heap;
}

static PyMethodDef module_methods[] = {
    {"walk", walk, METH_VARARGS,
     "walk(roots, others, skip, deque, max_objects, max_bytes, cpu_s, held_bytes) -> Heap. Raises MemoryError."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_heapwalk",
    .m_doc = "Walks the heap of this process; see walker.py.",
    .m_size = -1,
    .m_methods = module_methods,
};

PyMODINIT_FUNC
PyInit__heapwalk(void)
{
    if (PyType_Ready(&Heap_type) < 0) {
        return NULL;
    }
    return PyModule_Create(&module_definition);
}
