"""When an image is pulled by default: always for the moving tag `latest`, else only when it is not there.

Source: pkg/util/parsers, ParseImageName, and SetDefaults_Container.
"""

from kubepy.api.meta import Object


def image_tag(image: str) -> str:
    """The tag of an image reference: `latest` where it names neither tag nor digest, empty with only a digest."""
    name, _, digest = image.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    return tag if tag or digest else "latest"


def default_pull_policy(holder: Object, key: str, image: str) -> None:
    """Sets `holder[key]` from the image's tag where no policy is given."""
    if not holder.get(key):
        # An image that is missing is told of by validation; upstream's parser then yields no tag.
        holder[key] = "Always" if image and image_tag(image) == "latest" else "IfNotPresent"
