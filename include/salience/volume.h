/* Volumes: NIfTI-1 files in and out. */
#ifndef SALIENCE_VOLUME_H
#define SALIENCE_VOLUME_H

#include <salience/error.h>
#include <salience/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a NIfTI file tells about its voxels. x, y, z are the file's first, second and third axis,
 * which are the tensor's W, H and D. */
typedef struct sal_nifti {
    double spacing[3];   /* between voxels along x, y, z, in the file's unit (mostly mm); 1 where
                            nothing sensible is said */
    double affine[3][4]; /* voxel (x, y, z, 1) -> right, anterior, superior of the scanner */
    char orientation[4]; /* where x, y, z grow to: three of L R P A I S, "" when the file does not
                            say */
    sal_dtype stored;    /* element type in the file */
    double slope, inter; /* what stored values were multiplied by, and what was then added */
} sal_nifti;

/* Read .nii or .nii.gz (told apart by the first bytes) as float32 [1, C, D, H, W] with C the fourth
 * dimension (1 where there is none). All real element types, both byte orders, scl_slope and
 * scl_inter applied; the affine is the sform, else the qform, else the spacing alone. *info may be
 * NULL. *out: sal_tensor_free(). Errors: SAL_EIO, SAL_EFORMAT (damaged, cut off), SAL_EUNSUPPORTED
 * (colour or complex elements, NIfTI-2, header and voxels in two files, a fifth dimension).
 * Source: the NIfTI-1.1 header, https://nifti.nimh.nih.gov/nifti-1 */
SAL_API SAL_MUST_USE sal_status sal_nifti_read(sal_tensor *out, sal_nifti *info, const char *path,
                                               sal_error *err);
/* Write a tensor whose last three axes are D, H, W and the one before them (if any) C, as float32;
 * further axes must have one element. `info` gives spacing and affine; NULL: spacing 1, no
 * orientation. A path that ends in .gz is compressed. Errors: SAL_EINVAL (shape), SAL_EIO. */
SAL_API SAL_MUST_USE sal_status sal_nifti_write(const sal_tensor *t, const sal_nifti *info,
                                                const char *path, sal_error *err);

#ifdef __cplusplus
}
#endif
#endif
