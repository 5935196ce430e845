/* Visibility and attributes of public functions. */
#ifndef SALIENCE_EXPORT_H
#define SALIENCE_EXPORT_H

#if defined(__GNUC__)
#define SAL_API      __attribute__((visibility("default")))
#define SAL_MUST_USE __attribute__((warn_unused_result))
#else
#define SAL_API
#define SAL_MUST_USE
#endif

#endif
