"""The mathematics of bits, moments and spheres; it knows no autoencoders, files or plots.

==================================  ===========================================
in the paper                        here
==================================  ===========================================
Eq. 1, the sign                     ``lbae_lib.bits.signs``
Eqs. 2-3, direct rounding           ``baselines.DirectRounding``
Eq. 4, moments                      ``moments.moments``
Eqs. 5-9, from moments to angles    ``correlation.gram_matrix``
Eq. 10, unit vectors                ``correlation.factor``, after ``correlation.repair``
Eqs. 11-12, hyperplane rounding     ``hyperplane.HyperplaneSampler.bits``
Eqs. 4-12, of each class            ``mixture_of_hyperplanes.MixtureOfHyperplanes``
Eqs. 4-12, with attributes in M     ``conditioned.ConditionedSampler``
Eqs. 13-14, centroids               ``inversion.centroid_difference``
Eqs. 15-16, Algorithm 1 as printed  ``inversion.algorithm_1``
Eqs. 13-16, both halves tilted      ``inversion.both_halves``
Algorithm 1, authors' procedure     ``algorithm_1.authors_procedure``
Algorithm 1, sign restored          ``algorithm_1.restored_algorithm_1``
Section 3.3, slerp                  ``interpolation.slerp``
Eq. 17, editing attributes          ``attributes.set_attribute``
==================================  ===========================================
"""
