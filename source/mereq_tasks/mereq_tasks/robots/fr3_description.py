# Copyright (c) 2026, The MEReQ Lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The Franka Research 3 as a URDF of ours, derived from the description that ``franky-sim`` packages.

Kinematics, inertias, limits and visual meshes are the manufacturer's (Apache-2.0, see NOTICE). What changes here is
what a learner pays for at every step: links without a body go, the mesh colliders of links that touch nothing go, and
the fingers either stay (a gripper) or become one rigid tool with what they hold (an eraser).
"""

from __future__ import annotations

import copy
import importlib.util
import xml.etree.ElementTree as ET
from pathlib import Path

HAND_SIZE = (0.063, 0.204, 0.065)
"""Box around the hand's housing [m], read off the bounding box of the packaged collision mesh."""

ERASER_SIZE = (0.05, 0.11, 0.025)
"""Block of a hand-held whiteboard eraser [m]: its short and its long side, and its height down to the felt."""

HANDLE_SIZE = (0.02, 0.04, 0.03)
"""Handle on top of the block, between the fingers [m]."""

ERASER_MASS = 0.06
"""Mass of the eraser block [kg]; felt erasers of this size weigh 40 to 80 g."""

ERASER_FELT_Z = 0.1034 + 0.03
"""Height of the felt below the hand's flange [m]: the tool centre point (0.1034) plus the part that sticks out."""

GRIPPED_FINGER_OPENING = 0.02
"""Position of each finger that holds the eraser [m]: half the width of the handle."""

FINGER_BASE_Z = 0.0584
"""Height of the fingers' own frames below the hand's flange [m]."""

FINGERTIPS_SIZE = (0.0175, 0.0304, 0.0185)
"""Box around the tips of the two closed fingers [m]: those of the packaged fingers, side by side."""

FINGERTIPS_Z = FINGER_BASE_Z + 0.04525
"""Height of that box's centre below the hand's flange [m]."""

TOOLS = ("gripper", "eraser", "pusher")
"""What the hand can be: two sliding fingers, fingers that hold an eraser, closed fingers."""


def packaged_urdf() -> Path:
    """Returns the path of the packaged FR3 description, without importing the package (it would need pinocchio).

    Raises:
        FileNotFoundError: The package is not installed.
    """
    spec = importlib.util.find_spec("franky_sim")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("the FR3 description is missing: install the package franky-sim==1.0.4")
    return Path(spec.origin).parent / "assets" / "fr3.urdf"


def build_urdf(tool: str) -> ET.Element:
    """Derives the URDF of the arm with one of the tools.

    Args:
        tool: ``"gripper"`` (two sliding fingers), ``"eraser"`` (fingers closed on an eraser, all one body) or
            ``"pusher"`` (closed fingers, all one body).

    Raises:
        ValueError: Unknown tool.
    """
    if tool not in TOOLS:
        raise ValueError(f"unknown tool {tool!r}: choose {', '.join(TOOLS)}")
    source = packaged_urdf()
    robot = ET.parse(source).getroot()
    _drop_bodiless_links(robot)
    _use_absolute_meshes(robot, source.parent)
    _simplify_colliders(robot)
    if tool == "eraser":
        _freeze_fingers(robot, GRIPPED_FINGER_OPENING)
        _hold_eraser(robot)
    elif tool == "pusher":
        _freeze_fingers(robot, 0.0)
        _add_fingertips(robot)
    return robot


def _link(robot: ET.Element, name: str) -> ET.Element:
    return next(link for link in robot.iter("link") if link.get("name") == name)


def _joint(robot: ET.Element, name: str) -> ET.Element:
    return next(joint for joint in robot.iter("joint") if joint.get("name") == name)


def _drop_bodiless_links(robot: ET.Element) -> None:
    """Removes sensor and tool-centre frames, and hangs the hand directly on the flange of link 7."""
    for joint in list(robot.iter("joint")):
        child = joint.find("child").get("link")
        if child.endswith(("_accelerometer_top", "_accelerometer_bottom", "_hand_tcp", "_link8")):
            robot.remove(joint)
            robot.remove(_link(robot, child))
    hand_joint = _joint(robot, "fr3_hand_joint")
    hand_joint.find("parent").set("link", "fr3_link7")
    hand_joint.find("origin").set("xyz", "0 0 0.107")  # the offset of the removed joint 8


def _use_absolute_meshes(robot: ET.Element, folder: Path) -> None:
    for mesh in robot.iter("mesh"):
        mesh.set("filename", str(folder / mesh.get("filename", "")))


def _simplify_colliders(robot: ET.Element) -> None:
    """Keeps colliders where the arm can meet the scene: forearm, wrist, hand and fingertips, as cylinders and boxes."""
    cylinders = {
        # link: (xyz, rpy, radius, length) [m], inside the packaged collision meshes
        "fr3_link5": ("0 0.06 -0.05", "0 0 0", 0.06, 0.12),
        "fr3_link6": ("0.06 0 0.01", "1.5707963 0 0", 0.055, 0.10),
    }
    for link in robot.iter("link"):
        name = link.get("name")
        collisions = link.findall("collision")
        # Of a finger's four boxes the last is its tip, which is what grasps.
        for collision in collisions[:-1] if name.endswith("finger") else collisions:
            link.remove(collision)
        if name in cylinders:
            xyz, rpy, radius, length = cylinders[name]
            _add_collision(link, xyz, "cylinder", {"radius": f"{radius}", "length": f"{length}"}, rpy)
    _add_collision(_link(robot, "fr3_hand"), "0 0 0.0335", "box", {"size": " ".join(map(str, HAND_SIZE))})


def _freeze_fingers(robot: ET.Element, opening: float) -> None:
    """Makes hand and fingers one rigid body whose fingers touch nothing; each finger is ``opening`` [m] from closed."""
    for name, side in (("fr3_finger_joint1", 1.0), ("fr3_finger_joint2", -1.0)):
        joint = _joint(robot, name)
        joint.set("type", "fixed")
        joint.find("origin").set("xyz", f"0 {side * opening} {FINGER_BASE_Z}")
        for tag in ("axis", "limit", "mimic", "dynamics"):
            if (element := joint.find(tag)) is not None:
                joint.remove(element)
    for name in ("fr3_leftfinger", "fr3_rightfinger"):
        finger = _link(robot, name)
        for collision in finger.findall("collision"):
            finger.remove(collision)


def _hold_eraser(robot: ET.Element) -> None:
    """Fixes the eraser between the tips of the fingers."""
    length, width, height = ERASER_SIZE
    centre_z = ERASER_FELT_Z - height / 2
    eraser = ET.SubElement(robot, "link", name="eraser")
    handle_z = -(height + HANDLE_SIZE[2]) / 2
    _add_box_visual(eraser, "felt", "0 0 0", (length, width, height), "0.10 0.25 0.55 1")
    _add_box_visual(eraser, "handle", f"0 0 {handle_z}", HANDLE_SIZE, "0.85 0.60 0.15 1")
    _add_collision(eraser, "0 0 0", "box", {"size": f"{length} {width} {height}"})
    inertial = ET.SubElement(eraser, "inertial")
    ET.SubElement(inertial, "origin", xyz="0 0 0", rpy="0 0 0")
    ET.SubElement(inertial, "mass", value=f"{ERASER_MASS}")
    # Solid box: I = m/12 (a² + b²).
    ixx, iyy, izz = (ERASER_MASS / 12 * (a**2 + b**2) for a, b in ((width, height), (length, height), (length, width)))
    ET.SubElement(inertial, "inertia", ixx=f"{ixx:.3e}", iyy=f"{iyy:.3e}", izz=f"{izz:.3e}", ixy="0", ixz="0", iyz="0")
    _fix_to_hand(robot, "eraser", centre_z)


def _add_fingertips(robot: ET.Element) -> None:
    """Adds one box that touches things in place of both fingertips, whose mass stays with the fingers."""
    fingertips = ET.SubElement(robot, "link", name="fingertips")
    _add_collision(fingertips, "0 0 0", "box", {"size": " ".join(map(str, FINGERTIPS_SIZE))})
    inertial = ET.SubElement(fingertips, "inertial")
    ET.SubElement(inertial, "origin", xyz="0 0 0", rpy="0 0 0")
    # A body needs some mass; a gram of it changes nothing.
    ET.SubElement(inertial, "mass", value="1e-3")
    ET.SubElement(inertial, "inertia", ixx="1e-7", iyy="1e-7", izz="1e-7", ixy="0", ixz="0", iyz="0")
    _fix_to_hand(robot, "fingertips", FINGERTIPS_Z)


def _fix_to_hand(robot: ET.Element, link: str, z: float) -> None:
    joint = ET.SubElement(robot, "joint", name=f"{link}_joint", type="fixed")
    ET.SubElement(joint, "parent", link="fr3_hand")
    ET.SubElement(joint, "child", link=link)
    ET.SubElement(joint, "origin", xyz=f"0 0 {z}", rpy="0 0 0")


def _add_box_visual(link: ET.Element, name: str, xyz: str, size: tuple[float, float, float], rgba: str) -> None:
    visual = ET.SubElement(link, "visual", name=f"{name}_visual")
    ET.SubElement(visual, "origin", xyz=xyz, rpy="0 0 0")
    ET.SubElement(ET.SubElement(visual, "geometry"), "box", size=" ".join(map(str, size)))
    ET.SubElement(ET.SubElement(visual, "material", name=name), "color", rgba=rgba)


def _add_collision(link: ET.Element, xyz: str, shape: str, size: dict[str, str], rpy: str = "0 0 0") -> None:
    collision = ET.SubElement(link, "collision", name=f"{link.get('name')}_collision")
    ET.SubElement(collision, "origin", xyz=xyz, rpy=rpy)
    ET.SubElement(ET.SubElement(collision, "geometry"), shape, size)


def to_bytes(robot: ET.Element) -> bytes:
    """Serialises a URDF tree with stable formatting, so that equal robots have equal bytes (and one cache entry)."""
    tree = copy.deepcopy(robot)
    ET.indent(tree)
    return ET.tostring(tree, encoding="utf-8")
