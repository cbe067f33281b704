"""The import format: a network as a folder of CSV files, read into facts or refused with every fault.

Pure: the bytes of the files come in as a mapping of file names; who reads them from
disk or from an upload is not known here.
"""

from tools.network_folder.csv_text import SIZE_LIMIT_BYTES, content_fault
from tools.network_folder.facts import ForecastRow, Notice, NoticeCode, SalesGrain
from tools.network_folder.faults import FAULTS_LISTED_MAX, Fault, FaultCode, ImportFaults
from tools.network_folder.network import NetworkFolder, write_network
from tools.network_folder.parse import read_network

__all__ = [
    "FAULTS_LISTED_MAX",
    "SIZE_LIMIT_BYTES",
    "Fault",
    "FaultCode",
    "ForecastRow",
    "ImportFaults",
    "NetworkFolder",
    "Notice",
    "NoticeCode",
    "SalesGrain",
    "content_fault",
    "read_network",
    "write_network",
]
