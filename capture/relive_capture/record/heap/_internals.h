/* What CPython keeps to itself, for 3.11 to 3.13: the attributes that an instance holds without a dict, and
 * the locals of a frame that nobody runs. Only names come from here: which objects there are, and who holds
 * whom, comes from tp_traverse. On another version the names are missing and nothing else changes. */
#ifndef RELIVE_INTERNALS_H
#define RELIVE_INTERNALS_H

#if PY_VERSION_HEX >= 0x030B0000 && PY_VERSION_HEX < 0x030E0000 && !defined(Py_GIL_DISABLED)
#define RELIVE_INTERNALS 1
#include "internal/pycore_dict.h"
#include "internal/pycore_frame.h"
#endif

#define GC_HEADER_BYTES (2 * sizeof(void *))

/* Bytes in front of an object: the collector's header, and pointers to a dict and to weak references. */
static Py_ssize_t
bytes_before(PyTypeObject *type, int collected)
{
    unsigned long flags = type->tp_flags;
    Py_ssize_t size = collected ? (Py_ssize_t)GC_HEADER_BYTES : 0;
#if PY_VERSION_HEX >= 0x030C0000
    flags &= Py_TPFLAGS_MANAGED_DICT | Py_TPFLAGS_MANAGED_WEAKREF;
#else
    flags &= Py_TPFLAGS_MANAGED_DICT;
#endif
    return flags ? size + 2 * (Py_ssize_t)sizeof(void *) : size;
}

/* The dict of an instance, or NULL; never makes one. `inline_values`: its attributes without a dict. */
static PyObject *
instance_dict(PyObject *object, PyObject ***inline_values)
{
    PyTypeObject *type = Py_TYPE(object);
    *inline_values = NULL;
    if (type->tp_flags & Py_TPFLAGS_MANAGED_DICT) {
#if !defined(RELIVE_INTERNALS)
        return NULL;
#elif PY_VERSION_HEX < 0x030C0000
        PyDictValues *values = ((PyDictValues **)object)[-4];
        if (values != NULL) {
            *inline_values = values->values;
            return NULL;
        }
        return ((PyObject **)object)[-3];
#elif PY_VERSION_HEX < 0x030D0000
        char *tagged = ((char **)object)[-3];
        if ((uintptr_t)tagged & 1) {
            *inline_values = ((PyDictValues *)(tagged + 1))->values;
            return NULL;
        }
        return (PyObject *)tagged;
#else
        PyObject *dict = ((PyObject **)object)[-3];
        if (type->tp_flags & Py_TPFLAGS_INLINE_VALUES) { /* they stay there when there is a dict, too */
            PyDictValues *values = (PyDictValues *)((char *)object + sizeof(PyObject));
            if (values->valid) {
                *inline_values = values->values;
            }
        }
        return dict;
#endif
    }
    if (type->tp_dictoffset > 0) {
        return *(PyObject **)((char *)object + type->tp_dictoffset);
    }
    return NULL;
}

/* How many names a type's instances share, and the name at a place. */
static Py_ssize_t
shared_names(PyTypeObject *type)
{
#ifdef RELIVE_INTERNALS
    PyDictKeysObject *keys = ((PyHeapTypeObject *)type)->ht_cached_keys;
    if (type->tp_flags & Py_TPFLAGS_HEAPTYPE && keys != NULL && DK_IS_UNICODE(keys)) {
        return keys->dk_nentries;
    }
#endif
    (void)type;
    return 0;
}

static PyObject *
shared_name(PyTypeObject *type, Py_ssize_t place)
{
#ifdef RELIVE_INTERNALS
    return DK_UNICODE_ENTRIES(((PyHeapTypeObject *)type)->ht_cached_keys)[place].me_key;
#else
    (void)type;
    (void)place;
    return NULL;
#endif
}

/* Locals and their names if an object keeps a frame that does not run now. */
static Py_ssize_t
kept_locals(PyObject *object, PyObject ***locals, PyObject **names)
{
#ifdef RELIVE_INTERNALS
    _PyInterpreterFrame *frame = NULL;
    if (Py_IS_TYPE(object, &PyFrame_Type)) {
        frame = ((PyFrameObject *)object)->f_frame;
        if (frame != NULL && frame->owner != FRAME_OWNED_BY_FRAME_OBJECT) {
            return 0;
        }
    }
    else {
        PyGenObject *generator = (PyGenObject *)object;
        if (generator->gi_frame_state >= FRAME_EXECUTING) {
            return 0;
        }
        frame = (_PyInterpreterFrame *)generator->gi_iframe;
    }
#if PY_VERSION_HEX >= 0x030D0000
    PyObject *code = frame != NULL ? frame->f_executable : NULL;
#else
    PyObject *code = frame != NULL ? (PyObject *)frame->f_code : NULL;
#endif
    if (code == NULL || !PyCode_Check(code)) {
        return 0;
    }
    Py_ssize_t count = ((PyCodeObject *)code)->co_nlocalsplus;
    *names = ((PyCodeObject *)code)->co_localsplusnames;
    *locals = frame->localsplus;
    return count < frame->stacktop ? count : frame->stacktop;
#else
    (void)object;
    (void)locals;
    (void)names;
    return 0;
#endif
}

#endif
