"""Names of trust bundles, which begin with the name of the signer that they belong to.

Source: pkg/apis/core/validation/names.go, ValidateClusterTrustBundleName.
"""

from kubepy.api import names


def bundle_name(name: str) -> list[str]:
    """What is wrong with a ClusterTrustBundle's name.

    A bundle of a signer begins with the signer's name, its slash written as a colon, and another colon.
    """
    signer, colon, rest = name.rpartition(":")
    if not colon:
        return names.is_dns1123_subdomain(name)
    if ":" not in signer:
        return ['ClusterTrustBundle without signer name must not have ":" in its name']
    return names.is_dns1123_subdomain(rest)
